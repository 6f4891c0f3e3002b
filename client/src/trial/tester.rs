//! The key that evidence is signed with.

use std::path::{Path, PathBuf};

use provisioning_registry_api::evidence::{Evidence, EvidenceSignature, SignedEvidence};
use provisioning_trust::SigningKey;

use crate::context::Context;
use crate::durable::{Readers, replace_file};
use crate::failure::{Failure, Outcome};

/// The variable that names the file of the key.
const VARIABLE: &str = "PROVISIONING_TESTER_KEY";

/// A tester's key, and the file that it is in.
pub(crate) struct TesterKey {
    /// The key.
    pub(crate) key: SigningKey,
    /// Where it is.
    pub(crate) path: PathBuf,
}

impl TesterKey {
    /// The key in `file`, else the one that `PROVISIONING_TESTER_KEY` names, else this
    /// user's, which is made where there is none yet.
    pub(crate) fn open(file: Option<&Path>, context: &Context) -> Outcome<Self> {
        let named = file
            .map(Path::to_owned)
            .or_else(|| context.env.path_variable(VARIABLE))
            .map(|it| context.env.absolute(&it));
        if let Some(path) = named {
            let key = read(&path)?.ok_or_else(|| {
                Failure::new("no-key", format!("there is no key in `{}`", path.display()))
                    .with_hint("`provisioning bundle tester key` makes one and says where it is")
            })?;
            return Ok(Self { key, path });
        }
        let config = context.settings.config_file.as_ref();
        let path = config.map(|it| it.with_file_name("tester.pem"));
        let path = path.ok_or_else(|| {
            Failure::new("no-home", "there is no folder for the tester's key")
                .with_hint("set `XDG_CONFIG_HOME`, or name a key with `--key FILE`")
        })?;
        if let Some(key) = read(&path)? {
            return Ok(Self { key, path });
        }
        let key = SigningKey::generate().map_err(|it| bad(&path).with_chain(&it))?;
        let pem = key.to_pem().map_err(|it| bad(&path).with_chain(&it))?;
        replace_file(&path, pem.as_bytes(), Readers::Owner)?;
        Ok(Self { key, path })
    }
}

fn read(path: &Path) -> Outcome<Option<SigningKey>> {
    let pem = match std::fs::read_to_string(path) {
        Ok(pem) => pem,
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(problem) => return Err(Failure::io("read", path, &problem)),
    };
    let key = SigningKey::from_pem(&pem).map_err(|it| bad(path).with_chain(&it))?;
    Ok(Some(key))
}

fn bad(path: &Path) -> Failure {
    Failure::new(
        "bad-key",
        format!("`{}` is no Ed25519 key as PKCS#8 PEM", path.display()),
    )
}

/// Signs evidence.
pub(crate) fn sign(evidence: &Evidence, key: &SigningKey) -> Outcome<SignedEvidence> {
    let signed = serde_json::to_value(evidence).expect("evidence has text keys");
    let (keyid, sig) = key
        .sign_document(&signed)
        .map_err(|it| Failure::new("unsigned", "cannot sign the evidence").with_chain(&it))?;
    Ok(SignedEvidence {
        signed,
        signatures: vec![EvidenceSignature { keyid, sig }],
    })
}
