//! Owners, invitations, tokens, states of packages and trusted publishers.

use provisioning_package::PackageName;
use provisioning_registry_api::identity::{
    AnswerInvitation, GiveRole, Holder, InvitationAnswer, InvitationList, NewToken, Owners,
    PackageRole, Token, TokenList, TokenMade,
};
use provisioning_registry_api::life::{SetStatus, StatusChanged};
use provisioning_registry_api::trusted::{
    NewTrustedPublisher, TrustedPublisher, TrustedPublisherList,
};
use reqwest::Method;

use super::WriteClient;
use crate::failure::Outcome;

impl WriteClient {
    /// Who has a role in a package.
    pub(crate) async fn owners(&self, name: &PackageName) -> Outcome<Owners> {
        self.call(Method::GET, &package(name, &["owners"]), None::<&()>)
            .await
    }

    /// Gives somebody a role, or invites them to it.
    pub(crate) async fn give_role(
        &self,
        name: &PackageName,
        holder: &Holder,
        role: PackageRole,
    ) -> Outcome<Owners> {
        let holder = holder.to_string();
        let path = package(name, &["owners", &holder]);
        self.call(Method::PUT, &path, Some(&GiveRole { role }))
            .await
    }

    /// Takes a role or an invitation away.
    pub(crate) async fn remove_owner(
        &self,
        name: &PackageName,
        holder: &Holder,
    ) -> Outcome<Owners> {
        let holder = holder.to_string();
        let path = package(name, &["owners", &holder]);
        self.call(Method::DELETE, &path, None::<&()>).await
    }

    /// Gives up one's own role.
    pub(crate) async fn leave_package(&self, name: &PackageName) -> Outcome<Owners> {
        let path = ["me", "packages", name.kind().as_str(), name.as_str()];
        self.call(Method::DELETE, &path, None::<&()>).await
    }

    /// The invitations that wait for an answer.
    pub(crate) async fn invitations(&self) -> Outcome<InvitationList> {
        self.call(Method::GET, &["me", "invitations"], None::<&()>)
            .await
    }

    /// Answers an invitation; those that are left.
    pub(crate) async fn answer_invitation(
        &self,
        id: &str,
        answer: InvitationAnswer,
    ) -> Outcome<InvitationList> {
        let body = AnswerInvitation { answer };
        self.call(Method::POST, &["me", "invitations", id], Some(&body))
            .await
    }

    /// One's tokens.
    pub(crate) async fn tokens(&self) -> Outcome<TokenList> {
        self.call(Method::GET, &["tokens"], None::<&()>).await
    }

    /// Makes a token. It is asked for once: an answer that is lost leaves a token that
    /// nobody knows, and `token list` shows it.
    pub(crate) async fn make_token(&self, new: &NewToken) -> Outcome<TokenMade> {
        self.call(Method::POST, &["tokens"], Some(new)).await
    }

    /// Ends a token.
    pub(crate) async fn revoke_token(&self, id: &str) -> Outcome<Token> {
        self.call(Method::DELETE, &["tokens", id], None::<&()>)
            .await
    }

    /// Says what people should think of a package.
    pub(crate) async fn set_status(
        &self,
        name: &PackageName,
        wanted: &SetStatus,
    ) -> Outcome<StatusChanged> {
        self.call(Method::PUT, &package(name, &["status"]), Some(wanted))
            .await
    }

    /// Lets a CI job publish a package, or, with `is_first`, its first version.
    pub(crate) async fn trust(
        &self,
        name: &PackageName,
        new: &NewTrustedPublisher,
        is_first: bool,
    ) -> Outcome<TrustedPublisher> {
        if is_first {
            return self
                .call(Method::POST, &["me", "publishers"], Some(new))
                .await;
        }
        self.call(Method::POST, &package(name, &["publishers"]), Some(new))
            .await
    }

    /// The CI jobs that may publish a package.
    pub(crate) async fn trusted(&self, name: &PackageName) -> Outcome<TrustedPublisherList> {
        self.call(Method::GET, &package(name, &["publishers"]), None::<&()>)
            .await
    }

    /// Takes a CI job's right away; those that are left.
    pub(crate) async fn distrust(
        &self,
        name: &PackageName,
        id: &str,
    ) -> Outcome<TrustedPublisherList> {
        let path = package(name, &["publishers", id]);
        self.call(Method::DELETE, &path, None::<&()>).await
    }
}

fn package<'a>(name: &'a PackageName, rest: &[&'a str]) -> Vec<&'a str> {
    let mut path = vec!["packages", name.kind().as_str(), name.as_str()];
    path.extend(rest);
    path
}
