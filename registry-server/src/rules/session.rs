//! The life of a publish session: which state follows which, what each waits for, what its
//! owner can do, and when it ends by itself. Pure; `publish.rs` acts on it.
//!
//! ```text
//! uploading ─(finish)→ awaiting-review ─→ awaiting-signature ─→ publishing ─→ visible
//!     └───────────────────────┴──────────────────┴──→ refused | expired
//! ```
//!
//! `uploaded` (uploading with nothing missing) and `visible` (publishing with a serial that
//! is readable) are never stored: they follow from what else is there, so that no crash can
//! leave them behind or wrong.

use jiff::{SignedDuration, Timestamp};
use provisioning_registry_api::session::{SessionState, WaitsFor};

use super::gate::{Closed, Gate};

/// How long a session may wait for archives or for its owner.
const UPLOAD_HOURS_MAX: i64 = 7 * 24;
/// How long a session may wait for a moderator or a signature.
const GATE_HOURS_MAX: i64 = 30 * 24;

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) state: SessionState,
    pub(crate) since: Timestamp,
    pub(crate) reasons: Vec<String>,
    /// The serial of its change once it is committed.
    pub(crate) serial: Option<u64>,
}

/// Something that happens to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// It was checked, and these gates (at least one) hold it back.
    Held(Vec<Closed>),
    /// Its versions are in the database.
    Committed(u64),
    /// It can never become visible.
    Refused(Vec<String>),
    /// Its time is over.
    Expired,
}

/// An event that cannot happen to a session in that state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session that is `{}` cannot take that step", .0.as_str())]
pub(crate) struct Illegal(pub(crate) SessionState);

impl Standing {
    /// A session that was opened at `now`.
    pub(crate) const fn open(now: Timestamp) -> Self {
        Self {
            state: SessionState::Uploading,
            since: now,
            reasons: Vec::new(),
            serial: None,
        }
    }

    /// Where it stands after `event`.
    pub(crate) fn after(&self, event: Event, now: Timestamp) -> Result<Self, Illegal> {
        let is_waiting = match self.state {
            SessionState::Uploading
            | SessionState::Uploaded
            | SessionState::AwaitingReview
            | SessionState::AwaitingSignature => true,
            SessionState::Publishing
            | SessionState::Visible
            | SessionState::Refused
            | SessionState::Expired => false,
        };
        if !is_waiting {
            return Err(Illegal(self.state));
        }
        let (state, reasons, serial) = match event {
            Event::Held(closed) => {
                let Some(state) = held_state(&closed) else {
                    return Err(Illegal(self.state));
                };
                let reasons = closed.into_iter().map(|it| it.reason).collect();
                (state, reasons, None)
            }
            Event::Committed(serial) => (SessionState::Publishing, Vec::new(), Some(serial)),
            Event::Refused(reasons) => (SessionState::Refused, reasons, None),
            Event::Expired => (SessionState::Expired, vec![self.expiry_reason()], None),
        };
        let since = if state == self.state { self.since } else { now };
        Ok(Self {
            state,
            since,
            reasons,
            serial,
        })
    }

    /// When it ends by itself.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        let hours = hours_max(self.state)?;
        self.since
            .checked_add(SignedDuration::from_hours(hours))
            .ok()
    }

    /// The state that people are shown: `is_complete` says that no archive is missing,
    /// `readable` is the serial up to which everything can be read.
    pub(crate) fn shown(&self, is_complete: bool, readable: u64) -> SessionState {
        match self.state {
            SessionState::Uploading if is_complete => SessionState::Uploaded,
            SessionState::Publishing if self.serial.is_some_and(|it| it <= readable) => {
                SessionState::Visible
            }
            SessionState::Uploading
            | SessionState::Uploaded
            | SessionState::AwaitingReview
            | SessionState::AwaitingSignature
            | SessionState::Publishing
            | SessionState::Visible
            | SessionState::Refused
            | SessionState::Expired => self.state,
        }
    }

    fn expiry_reason(&self) -> String {
        let hours = hours_max(self.state).unwrap_or(UPLOAD_HOURS_MAX);
        match self.state {
            SessionState::AwaitingReview => {
                format!("no moderator looked at it within {hours} hours")
            }
            SessionState::AwaitingSignature => format!("nobody signed it within {hours} hours"),
            SessionState::Uploading
            | SessionState::Uploaded
            | SessionState::Publishing
            | SessionState::Visible
            | SessionState::Refused
            | SessionState::Expired => format!("it was not finished within {hours} hours"),
        }
    }
}

/// States that end by themselves, with the hours that each may last.
pub(crate) const EXPIRING: [(SessionState, i64); 3] = [
    (SessionState::Uploading, UPLOAD_HOURS_MAX),
    (SessionState::AwaitingReview, GATE_HOURS_MAX),
    (SessionState::AwaitingSignature, GATE_HOURS_MAX),
];

fn hours_max(state: SessionState) -> Option<i64> {
    EXPIRING
        .iter()
        .find(|(it, _)| *it == state)
        .map(|(_, hours)| *hours)
}

/// Reviews come before signatures: nobody should be asked to sign what may be refused yet.
fn held_state(closed: &[Closed]) -> Option<SessionState> {
    let first = closed.iter().map(|it| it.gate).min()?;
    Some(match first {
        Gate::Review => SessionState::AwaitingReview,
        Gate::Signature => SessionState::AwaitingSignature,
    })
}

/// Whom or what a shown state waits for.
pub(crate) const fn waits_for(shown: SessionState) -> Option<WaitsFor> {
    match shown {
        SessionState::Uploading => Some(WaitsFor::Archives),
        SessionState::Uploaded => Some(WaitsFor::Owner),
        SessionState::AwaitingReview => Some(WaitsFor::Moderator),
        SessionState::AwaitingSignature => Some(WaitsFor::ReleaseEngineer),
        SessionState::Publishing => Some(WaitsFor::Registry),
        SessionState::Visible | SessionState::Refused | SessionState::Expired => None,
    }
}

/// What its owner can do next, as sentences.
pub(crate) fn advice(shown: SessionState, id: &str) -> Vec<String> {
    let abandon = format!("to give it up: `provisioning publish abandon {id}`");
    match shown {
        SessionState::Uploading => vec![
            "send the missing archives, or run the same `provisioning publish` again, on each \
             machine that has one"
                .to_owned(),
            abandon,
        ],
        SessionState::Uploaded => vec![
            "finish it: run the same `provisioning publish` again, or POST to its `finalize`"
                .to_owned(),
            abandon,
        ],
        SessionState::AwaitingReview => vec![
            "wait: a moderator of the registry looks at it; what was sent is kept".to_owned(),
            abandon,
        ],
        SessionState::AwaitingSignature => vec![
            "wait: a release engineer signs it; what was sent is kept".to_owned(),
            abandon,
        ],
        SessionState::Publishing => vec!["wait: it is kept, and being signed".to_owned()],
        SessionState::Refused => vec!["correct the package and publish it again".to_owned()],
        SessionState::Expired => {
            vec!["publish it again: what has arrived is not sent twice".to_owned()]
        }
        SessionState::Visible => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn standing(state: SessionState) -> Standing {
        Standing {
            state,
            ..Standing::open(at(0))
        }
    }

    fn closed(gate: Gate) -> Closed {
        Closed {
            gate,
            reason: format!("{gate:?}"),
        }
    }

    fn events() -> Vec<Event> {
        vec![
            Event::Held(vec![closed(Gate::Review)]),
            Event::Held(vec![closed(Gate::Signature)]),
            Event::Committed(7),
            Event::Refused(vec!["why".to_owned()]),
            Event::Expired,
        ]
    }

    #[test]
    fn what_has_ended_or_is_committed_takes_no_step() {
        for state in [
            SessionState::Publishing,
            SessionState::Visible,
            SessionState::Refused,
            SessionState::Expired,
        ] {
            for event in events() {
                assert_eq!(standing(state).after(event, at(1)), Err(Illegal(state)));
            }
        }
    }

    #[test]
    fn every_waiting_session_can_be_held_committed_refused_and_expire() {
        for state in [
            SessionState::Uploading,
            SessionState::AwaitingReview,
            SessionState::AwaitingSignature,
        ] {
            for event in events() {
                let next = standing(state).after(event.clone(), at(1)).unwrap();
                let expected = match &event {
                    Event::Held(closed) if closed[0].gate == Gate::Review => {
                        SessionState::AwaitingReview
                    }
                    Event::Held(_) => SessionState::AwaitingSignature,
                    Event::Committed(_) => SessionState::Publishing,
                    Event::Refused(_) => SessionState::Refused,
                    Event::Expired => SessionState::Expired,
                };
                assert_eq!(next.state, expected, "{state:?} {event:?}");
                assert_eq!(next.serial.is_some(), matches!(event, Event::Committed(_)));
                let is_same = next.state == state;
                assert_eq!(next.since, at(i64::from(!is_same)), "since when it is so");
            }
        }
        let nothing = standing(SessionState::Uploading).after(Event::Held(Vec::new()), at(1));
        assert!(nothing.is_err(), "no gate holds nothing back");
    }

    #[test]
    fn a_review_comes_before_a_signature() {
        let both = vec![closed(Gate::Signature), closed(Gate::Review)];
        let next = standing(SessionState::Uploading).after(Event::Held(both), at(1));
        let next = next.unwrap();
        assert_eq!(next.state, SessionState::AwaitingReview);
        assert_eq!(next.reasons.len(), 2);
    }

    #[test]
    fn states_that_follow_from_others_are_shown() {
        let uploading = standing(SessionState::Uploading);
        assert_eq!(uploading.shown(false, 9), SessionState::Uploading);
        assert_eq!(uploading.shown(true, 9), SessionState::Uploaded);
        let committed = uploading.after(Event::Committed(7), at(1)).unwrap();
        assert_eq!(committed.shown(true, 6), SessionState::Publishing);
        assert_eq!(committed.shown(true, 7), SessionState::Visible);
    }

    #[test]
    fn every_state_that_has_not_ended_says_what_it_waits_for_and_what_can_be_done() {
        for state in SessionState::ALL {
            assert_eq!(waits_for(state).is_none(), state.is_ended(), "{state:?}");
            let is_silent = advice(state, "1").is_empty();
            assert_eq!(is_silent, state == SessionState::Visible, "{state:?}");
        }
        for (state, _) in EXPIRING {
            let standing = standing(state);
            assert!(standing.expires_at().unwrap() > at(0));
            assert!(standing.expiry_reason().contains("hours"));
        }
        assert_eq!(standing(SessionState::Publishing).expires_at(), None);
    }
}
