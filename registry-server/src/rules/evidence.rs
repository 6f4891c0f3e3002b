//! Which evidence is taken, and what a tester may be called.

use provisioning_registry_api::evidence::{
    EVIDENCE_SCHEMA, Evidence, EvidenceSignature, EvidenceSubject, SignedEvidence,
};

use crate::problem::{Code, Refusal};

/// Members or runs of one piece of evidence.
const ENTRIES_MAX: usize = 4096;
/// Characters of a tester's name.
const TESTER_CHARS_MAX: usize = 64;

/// What evidence says, and its one signature.
pub(crate) fn read(sent: &SignedEvidence) -> Result<(Evidence, &EvidenceSignature), Refusal> {
    let invalid = |why: String| Refusal::new(Code::EvidenceInvalid, why);
    let evidence = sent
        .read()
        .map_err(|problem| invalid(format!("`signed` is no evidence: {problem}")))?;
    if evidence.schema > EVIDENCE_SCHEMA {
        let schema = evidence.schema;
        return Err(invalid(format!(
            "evidence of schema {schema} is newer than this registry"
        )));
    }
    if evidence.members.is_empty() || evidence.runs.is_empty() {
        return Err(invalid(
            "evidence names what was installed and what was run".to_owned(),
        ));
    }
    if evidence.members.len() > ENTRIES_MAX || evidence.runs.len() > ENTRIES_MAX {
        return Err(invalid(format!(
            "evidence has at most {ENTRIES_MAX} members and runs"
        )));
    }
    if evidence.passed && evidence.runs.iter().any(|it| !it.passed) {
        return Err(invalid(
            "evidence that passed has no run that failed".to_owned(),
        ));
    }
    match sent.signatures.as_slice() {
        [one] => Ok((evidence, one)),
        other => Err(invalid(format!(
            "evidence carries one signature, this carries {}",
            other.len()
        ))),
    }
}

/// The words that evidence is found by.
pub(crate) fn subject(evidence: &Evidence) -> String {
    match &evidence.subject {
        EvidenceSubject::Bundle(name) => name.to_string(),
        EvidenceSubject::Packages(specs) => {
            let mut specs = specs.clone();
            specs.sort();
            specs.join(" ")
        }
    }
}

/// A tester's name: letters, digits, `.`, `-`, `_`, `@`.
pub(crate) fn check_tester_name(name: &str) -> Result<(), Refusal> {
    let plain = |it: char| it.is_ascii_alphanumeric() || ".-_@".contains(it);
    if !name.is_empty() && name.chars().count() <= TESTER_CHARS_MAX && name.chars().all(plain) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::BadRequest,
        format!("a tester's name is 1 to {TESTER_CHARS_MAX} letters, digits, `.`, `-`, `_` or `@`"),
    ))
}
