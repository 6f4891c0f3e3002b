//! How a line of the audit log is chained to the one before it.
//!
//! The hash covers every field and the hash before it, so a line cannot be changed, removed
//! or put in between without every later hash telling. Each line's hash also goes to the
//! server's log, where a rewritten chain is found out.

use provisioning_package::Digest;

/// A line of the audit log without its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChainedRow {
    /// Rises by one with every line.
    pub(crate) number: u64,
    /// The registry's serial at the time.
    pub(crate) serial: u64,
    /// Tells lines of one serial apart.
    pub(crate) position: u64,
    /// When, as RFC 3339 writes it.
    pub(crate) at: String,
    /// Who.
    pub(crate) actor: String,
    /// What.
    pub(crate) action: String,
    /// To what.
    pub(crate) subject: String,
    /// With which content.
    pub(crate) detail: String,
    /// Whether everyone can see the change.
    pub(crate) is_event: bool,
}

/// The hash of `row` after a line whose hash is `previous` (empty for the first): sha256
/// over a JSON array, whose strings cannot run into each other.
pub(crate) fn link(previous: &str, row: &ChainedRow) -> String {
    let fields = serde_json::json!([
        previous,
        row.number,
        row.serial,
        row.position,
        row.at,
        row.actor,
        row.action,
        row.subject,
        row.detail,
        row.is_event,
    ]);
    Digest::of(fields.to_string().as_bytes()).hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ChainedRow {
        ChainedRow {
            number: 7,
            serial: 3,
            position: 1,
            at: "2026-11-20T12:00:00Z".to_owned(),
            actor: "ci".to_owned(),
            action: "yank".to_owned(),
            subject: "core@3.1.0".to_owned(),
            detail: "broken".to_owned(),
            is_event: true,
        }
    }

    #[test]
    fn every_field_and_the_line_before_change_the_hash() {
        let plain = link("", &row());
        let changes: [fn(&mut ChainedRow); 9] = [
            |it| it.number = 8,
            |it| it.serial = 4,
            |it| it.position = 2,
            |it| it.at.push('0'),
            |it| it.actor.push('x'),
            |it| it.action.push('x'),
            |it| it.subject.push('x'),
            |it| it.detail.push('x'),
            |it| it.is_event = false,
        ];
        for change in changes {
            let mut other = row();
            change(&mut other);
            assert_ne!(link("", &other), plain, "{other:?}");
        }
        assert_ne!(link("00", &row()), plain);
    }

    #[test]
    fn text_cannot_move_from_one_field_to_the_next() {
        let mut left = row();
        left.actor = "a\",\"b".to_owned();
        left.action = "c".to_owned();
        let mut right = row();
        right.actor = "a".to_owned();
        right.action = "b\",\"c".to_owned();
        assert_ne!(link("", &left), link("", &right));
    }
}
