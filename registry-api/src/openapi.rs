//! Schemas of the words that the shapes are made of, for the description that a registry
//! serves. The words themselves come from `package`, which knows nothing of HTTP.

use std::borrow::Cow;

use provisioning_package::{ExtensionType, Kind, Target};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A text of a certain form.
macro_rules! text {
    ($name:ident, $word:literal, $says:literal, $pattern:literal, $longest:literal) => {
        #[doc = $says]
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some($says))
                    .pattern(Some($pattern))
                    .max_length(Some($longest))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                $word.into()
            }
        }
    };
}

/// One word of a list.
macro_rules! choice {
    ($name:ident, $word:literal, $says:literal, $list:expr) => {
        #[doc = $says]
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some($says))
                    .enum_values(Some($list))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                $word.into()
            }
        }
    };
}

text!(
    NameText,
    "Name",
    "The short name of a package.",
    "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
    64
);
text!(
    BundleNameText,
    "BundleName",
    "The name of a bundle or channel.",
    "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
    64
);
text!(
    VersionText,
    "Version",
    "An exact version (SemVer 2.0).",
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$",
    256
);
text!(
    DigestText,
    "Digest",
    "The sha256 of an archive or document.",
    "^sha256:[0-9a-f]{64}$",
    71
);
text!(
    HexText,
    "DigestHex",
    "The sha256 of an archive as bare hexadecimal digits.",
    "^[0-9a-f]{64}$",
    64
);

choice!(
    KindText,
    "Kind",
    "What sort of package something is.",
    Kind::ALL.map(Kind::as_str)
);
choice!(
    TargetText,
    "Target",
    "What an archive runs on.",
    Target::ALL.map(Target::as_str)
);
choice!(
    ExtensionTypeText,
    "ExtensionType",
    "What sort of extension something is.",
    ExtensionType::ALL.map(ExtensionType::as_str)
);
