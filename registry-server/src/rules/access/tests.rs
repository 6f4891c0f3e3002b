use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn holder(grants: &[&str], user: Option<TokenUser>) -> Principal {
    Principal::of(bearer(grants, user))
}

fn bearer(grants: &[&str], user: Option<TokenUser>) -> Bearer {
    Bearer {
        id: "t".to_owned(),
        name: "n".to_owned(),
        grants: grants.iter().map(|it| it.parse().unwrap()).collect(),
        binding: None,
        expires_at: None,
        is_revoked: false,
        user,
    }
}

fn user(roles: &[RegistryRole]) -> TokenUser {
    TokenUser {
        name: "ada".to_owned(),
        roles: roles.to_vec(),
        is_disabled: false,
    }
}

fn name(text: &str) -> PackageName {
    PackageName::parse(text).unwrap()
}

fn package(name: &PackageName, role: Option<PackageRole>) -> Subject<'_> {
    Subject::Package {
        name,
        role,
        version: None,
        digests: &[],
    }
}

fn is_open(action: Action) -> bool {
    matches!(action, Action::Read | Action::Exchange)
}

#[test]
fn a_stranger_may_read_and_prove_who_they_are_and_nothing_else() {
    for action in Action::ALL {
        let answer = decide(&Principal::Anonymous, action, Subject::Any, NOW);
        assert_eq!(answer.is_ok(), is_open(action), "{action:?}");
    }
}

#[test]
fn the_operators_admin_scope_covers_every_action_on_everything() {
    let redis = name("redis");
    let operator = holder(&["admin"], None);
    for action in Action::ALL {
        for subject in [
            Subject::Any,
            Subject::Registry,
            Subject::Bundle("b"),
            Subject::Team(None),
            package(&redis, None),
        ] {
            decide(&operator, action, subject, NOW).unwrap();
        }
    }
    assert!(operator.is_administrator(NOW));
}

#[test]
fn publishing_versions_does_not_allow_new_names() {
    let publisher = holder(&["publish"], None);
    let ask = |action| decide(&publisher, action, Subject::Any, NOW);
    ask(Action::Publish).unwrap();
    ask(Action::PublishVersion).unwrap();
    assert_eq!(
        ask(Action::PublishNew),
        Err(Denied::Scope(&[Scope::PublishNew]))
    );
    assert!(ask(Action::Yank).is_err());
    assert!(ask(Action::PushMatrix).is_err());
}

#[test]
fn an_expired_or_revoked_token_and_a_disabled_user_are_good_for_nothing() {
    let with = |expires_at, is_revoked, is_disabled| {
        let user = TokenUser {
            name: "ada".to_owned(),
            roles: vec![RegistryRole::Administrator],
            is_disabled,
        };
        Principal::of(Bearer {
            expires_at,
            is_revoked,
            ..bearer(&["admin"], Some(user))
        })
    };
    for (principal, denied) in [
        (with(Some(NOW), false, false), Denied::Expired),
        (with(None, true, false), Denied::Revoked),
        (with(None, false, true), Denied::Disabled("ada".to_owned())),
    ] {
        for action in Action::ALL.into_iter().filter(|it| !is_open(*it)) {
            let answer = decide(&principal, action, Subject::Any, NOW);
            assert_eq!(answer, Err(denied.clone()), "{action:?}");
        }
    }
}

#[test]
fn a_token_for_some_packages_is_none_for_others_nor_for_the_registry() {
    let limited = holder(&["publish:mongodb*", "admin:redis"], None);
    let (mongodb, redis, core) = (name("mongodb-tools"), name("redis"), name("core"));
    let ask = |action, subject| decide(&limited, action, subject, NOW);
    ask(Action::PublishVersion, package(&mongodb, None)).unwrap();
    ask(Action::Yank, package(&redis, None)).unwrap();
    assert_eq!(
        ask(Action::PublishVersion, package(&core, None)),
        Err(Denied::Pattern("core".to_owned()))
    );
    assert!(ask(Action::Administer, Subject::Registry).is_err());
    assert!(!limited.is_administrator(NOW));
}

#[test]
fn a_bound_token_publishes_its_one_version_alone() {
    let redis = name("redis");
    let version: Version = "1.0.0".parse().unwrap();
    let (good, bad) = (Digest::of(b"good"), Digest::of(b"bad"));
    let bound = Principal::of(Bearer {
        binding: Some(Binding {
            name: redis.clone(),
            version: Some(version.clone()),
            digest: Some(good),
        }),
        ..bearer(&["admin"], None)
    });
    let ask = |action: Action, version: &str, digests: &[Digest]| {
        let version: Version = version.parse().unwrap();
        let subject = Subject::Package {
            name: &redis,
            role: None,
            version: Some(&version),
            digests,
        };
        decide(&bound, action, subject, NOW).is_ok()
    };
    assert!(ask(Action::PublishVersion, "1.0.0", &[good]));
    assert!(!ask(Action::PublishVersion, "1.0.0", &[good, bad]));
    assert!(!ask(Action::PublishVersion, "1.0.1", &[good]));
    assert!(!ask(Action::Yank, "1.0.0", &[good]));
    for action in [Action::Administer, Action::MakeOwn, Action::Moderate] {
        assert!(decide(&bound, action, Subject::Registry, NOW).is_err());
    }
    decide(&bound, Action::OwnAccount, Subject::Registry, NOW).unwrap();
}

#[test]
fn what_a_user_may_do_with_a_package_follows_from_their_role() {
    use PackageRole::{Maintainer, Owner, Publisher, Reader};
    let redis = name("redis");
    let ada = holder(&["admin"], Some(user(&[])));
    for (action, least) in [
        (Action::PublishVersion, Publisher),
        (Action::Yank, Publisher),
        (Action::Describe, Maintainer),
        (Action::TrustPublisher, Maintainer),
        (Action::ChangeOwners, Owner),
        (Action::DeleteVersion, Owner),
    ] {
        for role in [
            None,
            Some(Reader),
            Some(Publisher),
            Some(Maintainer),
            Some(Owner),
        ] {
            let answer = decide(&ada, action, package(&redis, role), NOW);
            let is_enough = role.is_some_and(|it| it >= least);
            assert_eq!(answer.is_ok(), is_enough, "{action:?} {role:?}");
        }
    }
}

#[test]
fn new_extensions_are_anyones_and_the_registrys_own_kinds_their_teams() {
    let (redis, core) = (name("redis"), name("core"));
    let ada = holder(&["admin"], Some(user(&[])));
    let ask = |who: &Principal, subject| decide(who, Action::PublishNew, subject, NOW);
    ask(&ada, package(&redis, None)).unwrap();
    assert!(matches!(
        ask(&ada, package(&core, None)),
        Err(Denied::Role(_))
    ));
    ask(&ada, package(&core, Some(PackageRole::Publisher))).unwrap();
    let engineer = holder(&["admin"], Some(user(&[RegistryRole::ReleaseEngineer])));
    ask(&engineer, package(&core, None)).unwrap();
    let stranger = decide(
        &engineer,
        Action::PublishVersion,
        package(&redis, None),
        NOW,
    );
    assert!(stranger.is_err(), "an extension is its owners'");
}

#[test]
fn offices_of_the_registry_allow_what_they_are_for() {
    use RegistryRole::{Administrator, Moderator, ReleaseEngineer};
    for (action, office) in [
        (Action::Moderate, Moderator),
        (Action::PushMatrix, ReleaseEngineer),
        (Action::PublishBundle, ReleaseEngineer),
        (Action::Administer, Administrator),
    ] {
        for role in [Moderator, ReleaseEngineer, Administrator] {
            let who = holder(&["admin"], Some(user(&[role])));
            let answer = decide(&who, action, Subject::Registry, NOW);
            let is_right = role == office || role == Administrator;
            assert_eq!(answer.is_ok(), is_right, "{action:?} {role:?}");
        }
        let nobody = holder(&["admin"], Some(user(&[])));
        assert!(decide(&nobody, action, Subject::Registry, NOW).is_err());
    }
}

#[test]
fn a_team_is_changed_by_its_maintainers() {
    let ada = holder(&["owners"], Some(user(&[])));
    let ask = |role| decide(&ada, Action::ChangeTeam, Subject::Team(role), NOW).is_ok();
    assert!(ask(Some(TeamRole::Maintainer)));
    assert!(!ask(Some(TeamRole::Member)));
    assert!(!ask(None));
}
