//! What a change was about, as the database's job rows spell it.

use provisioning_package::{Kind, PackageName};

/// Something of which the read side shows a copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A package's index entry.
    Package(PackageName),
    /// The compatibility matrix.
    Matrix,
    /// All bundles and the channels that point at them.
    Bundles,
    /// The bootstrap scripts.
    Scripts,
}

impl Subject {
    /// The word that a job row keeps.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Package(name) => format!("package:{name}"),
            Self::Matrix => "matrix".to_owned(),
            Self::Bundles => "bundles".to_owned(),
            Self::Scripts => "scripts".to_owned(),
        }
    }

    /// Reads a job row; a word of a newer server means nothing here.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "matrix" => Some(Self::Matrix),
            "bundles" => Some(Self::Bundles),
            "scripts" => Some(Self::Scripts),
            other => {
                let name = other.strip_prefix("package:")?;
                Some(Self::Package(PackageName::parse(name).ok()?))
            }
        }
    }

    /// Whether the bootstrap scripts depend on this too.
    pub(crate) fn touches_scripts(&self) -> bool {
        match self {
            Self::Package(name) => name.kind() == Kind::Client,
            Self::Scripts => true,
            Self::Matrix | Self::Bundles => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_reads_back_from_its_job_row() {
        for subject in [
            Subject::Package(PackageName::parse("mongodb").unwrap()),
            Subject::Matrix,
            Subject::Bundles,
            Subject::Scripts,
        ] {
            assert_eq!(Subject::parse(&subject.text()), Some(subject));
        }
        assert_eq!(Subject::parse("moon"), None);
    }
}
