//! What whoever has a bundle must hear of it: that it was taken back, or that its support
//! ends.

use jiff::civil::Date;
use provisioning_package::BundleName;
use provisioning_registry_api::bundle::{BundleDocument, BundleState};

/// Days before the last day of support from which on everyone is told.
pub const SUPPORT_ENDS_SOON_DAYS: i32 = 30;

/// Something that whoever follows a bundle must hear.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleNews {
    /// The registry has it no more.
    #[error("the registry has no bundle `{name}` #{sequence} any more")]
    Gone {
        /// The bundle.
        name: BundleName,
        /// The sequence that is installed.
        sequence: u64,
    },
    /// It was taken back.
    #[error("bundle `{name}` #{sequence} was withdrawn: {reason}")]
    Withdrawn {
        /// The bundle.
        name: BundleName,
        /// The sequence that is installed.
        sequence: u64,
        /// Why.
        reason: String,
        /// The bundle to use instead.
        replacement: Option<BundleName>,
    },
    /// Its last day was.
    #[error("bundle `{name}` was supported until {until}")]
    SupportEnded {
        /// The bundle.
        name: BundleName,
        /// Its last day.
        until: Date,
    },
    /// It was ended before or without a day.
    #[error("bundle `{name}` has reached its end of life")]
    EndOfLife {
        /// The bundle.
        name: BundleName,
    },
    /// Its last day comes.
    #[error("bundle `{name}` is supported until {until}, {} more", counted(*.days))]
    SupportEnds {
        /// The bundle.
        name: BundleName,
        /// Its last day.
        until: Date,
        /// How many days that is from now.
        days: i32,
    },
}

fn counted(count: i32) -> String {
    match count {
        1 => "1 day".to_owned(),
        other => format!("{other} days"),
    }
}

impl BundleNews {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Gone { .. } => "bundle-gone",
            Self::Withdrawn { .. } => "bundle-withdrawn",
            Self::SupportEnded { .. } | Self::EndOfLife { .. } => "bundle-unsupported",
            Self::SupportEnds { .. } => "bundle-support-ends",
        }
    }

    /// What to do about it: a command.
    pub fn fix(&self) -> String {
        match self {
            Self::Withdrawn {
                replacement: Some(other),
                ..
            } => format!("`provisioning install {other}`"),
            Self::Withdrawn { .. } => {
                "`provisioning upgrade`, or `provisioning install stable`".to_owned()
            }
            Self::Gone { .. } => "`provisioning bundle list` shows what there is".to_owned(),
            Self::SupportEnded { .. } | Self::EndOfLife { .. } | Self::SupportEnds { .. } => {
                "`provisioning bundle list` shows newer ones; `provisioning install NAME` moves there"
                    .to_owned()
            }
        }
    }

    /// Whether what is installed should not stay: a coming end is no hurry.
    pub const fn is_urgent(&self) -> bool {
        !matches!(self, Self::SupportEnds { .. })
    }
}

/// What there is to say of sequence `sequence` of a bundle. `document` is what the registry
/// has of it.
pub fn news(
    name: &BundleName,
    sequence: u64,
    document: Option<&BundleDocument>,
    today: Date,
) -> Option<BundleNews> {
    let sequences = document.into_iter().flat_map(|it| &it.sequences);
    let name = name.clone();
    let Some(found) = sequences.into_iter().find(|it| it.sequence == sequence) else {
        return Some(BundleNews::Gone { name, sequence });
    };
    if found.is_withdrawn() {
        let withdrawn = found.withdrawn.as_ref();
        return Some(BundleNews::Withdrawn {
            name,
            sequence,
            reason: withdrawn.map_or("no reason given".to_owned(), |it| it.reason.clone()),
            replacement: withdrawn.and_then(|it| it.replacement.clone()),
        });
    }
    if let Some(until) = found.lts_until {
        // Its last day is a day of support.
        let days = today.until(until).map_or(i32::MAX, |it| it.get_days());
        if until < today {
            return Some(BundleNews::SupportEnded { name, until });
        }
        if found.state != BundleState::Eol && days <= SUPPORT_ENDS_SOON_DAYS {
            return Some(BundleNews::SupportEnds { name, until, days });
        }
    }
    (found.state == BundleState::Eol).then_some(BundleNews::EndOfLife { name })
}

#[cfg(test)]
mod tests {
    use provisioning_registry_api::bundle::{BUNDLE_SCHEMA, Withdrawn};

    use super::*;
    use crate::gate::tests::{bundle, sequence};

    fn told(
        change: impl Fn(&mut provisioning_registry_api::bundle::BundleSequence),
        today: Date,
    ) -> Option<BundleNews> {
        let mut only = sequence(BundleState::Lts);
        change(&mut only);
        let document = BundleDocument {
            schema: BUNDLE_SCHEMA,
            name: bundle("lts-3.1"),
            sequences: vec![only],
        };
        news(&bundle("lts-3.1"), 1, Some(&document), today)
    }

    #[test]
    fn support_is_told_of_before_and_after_its_last_day() {
        let until = Date::constant(2026, 9, 1);
        let at = |day: Date| told(|it| it.lts_until = Some(until), day);
        assert_eq!(at(Date::constant(2026, 8, 1)), None);
        assert!(matches!(
            at(Date::constant(2026, 8, 2)),
            Some(BundleNews::SupportEnds { days: 30, .. })
        ));
        let last = at(until).unwrap();
        assert_eq!(
            (last.code(), last.is_urgent()),
            ("bundle-support-ends", false)
        );
        let over = at(Date::constant(2026, 9, 2)).unwrap();
        assert_eq!(
            over.to_string(),
            "bundle `lts-3.1` was supported until 2026-09-01"
        );
        assert!(over.is_urgent());
        let tomorrow = at(Date::constant(2026, 8, 31)).unwrap();
        assert!(tomorrow.to_string().ends_with("1 day more"), "{tomorrow}");
    }

    #[test]
    fn a_withdrawal_says_why_and_where_to_go() {
        let why = Withdrawn {
            reason: "it loses data".to_owned(),
            at: jiff::Timestamp::UNIX_EPOCH,
            replacement: Some(bundle("lts-3.0")),
        };
        let found = told(
            |it| it.withdrawn = Some(why.clone()),
            Date::constant(2026, 1, 1),
        )
        .unwrap();
        assert_eq!(
            found.to_string(),
            "bundle `lts-3.1` #1 was withdrawn: it loses data"
        );
        assert_eq!(found.fix(), "`provisioning install lts-3.0`");
        let gone = news(&bundle("lts-3.1"), 1, None, Date::constant(2026, 1, 1)).unwrap();
        assert_eq!(gone.code(), "bundle-gone");
        let ended = told(|it| it.state = BundleState::Eol, Date::constant(2026, 1, 1));
        assert_eq!(ended.unwrap().code(), "bundle-unsupported");
        assert_eq!(told(|_| {}, Date::constant(2026, 1, 1)), None);
    }
}
