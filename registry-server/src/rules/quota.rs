//! How much a package may have. Pure.

use provisioning_registry_api::life::Quota;

use crate::problem::{Code, Refusal};

/// Refuses archives that are larger than allowed, or that make a package too large.
pub(crate) fn check(
    package: &str,
    limits: Quota,
    kept: u64,
    new: impl IntoIterator<Item = u64>,
) -> Result<(), Refusal> {
    let refuse = |detail: String| {
        Err(Refusal::new(Code::QuotaExceeded, detail)
            .hint("an administrator of the registry can raise this for one package"))
    };
    let mut total = kept;
    for size in new {
        if let Some(most) = limits.archive_bytes.filter(|it| size > *it) {
            return refuse(format!(
                "an archive of `{package}` has {size} bytes, and {most} are allowed"
            ));
        }
        total = total.saturating_add(size);
    }
    match limits.total_bytes.filter(|it| total > *it) {
        Some(most) => refuse(format!(
            "`{package}` would have {total} bytes in all its archives, and {most} are allowed"
        )),
        None => Ok(()),
    }
}

/// The limits of a package: its own where it has some, else the registry's.
pub(crate) fn limits(own: Quota, all: Quota) -> Quota {
    Quota {
        archive_bytes: own.archive_bytes.or(all.archive_bytes),
        total_bytes: own.total_bytes.or(all.total_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_stays_within_its_own_limits_or_the_registrys() {
        let all = Quota {
            archive_bytes: Some(10),
            total_bytes: Some(25),
        };
        check("redis", all, 5, [10, 10]).unwrap();
        assert!(check("redis", all, 5, [11]).is_err());
        assert!(check("redis", all, 6, [10, 10]).is_err());
        let own = Quota {
            archive_bytes: Some(20),
            total_bytes: None,
        };
        let raised = limits(own, all);
        check("redis", raised, 0, [20]).unwrap();
        assert!(check("redis", raised, 6, [20]).is_err());
        check("redis", Quota::default(), u64::MAX, [u64::MAX]).unwrap();
    }
}
