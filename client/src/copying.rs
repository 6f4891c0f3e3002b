//! Copies of a registry: the folder that `mirror` keeps, the file that `export` writes, and
//! what `import` makes of it.
//!
//! All three have one shape, the static read side of a registry, with the registry's own
//! signatures: an export is a mirror in a file, and `tar x` makes a folder of it that any
//! web server can serve. What a copy adds is unsigned and says where it came from and, where
//! it holds a part, which: a copy can hide something, which readers tell, and never change it.
//!
//! | file | noun |
//! | --- | --- |
//! | `selection` | what some bundles and packages need |
//! | `description` | the discovery document of a copy |
//! | `mirror` | a folder, brought up to date |
//! | `export` | a file, written |
//! | `staged` | a file, unpacked and verified, with nothing else touched |
//! | `import` | what was verified, taken over |

mod description;
mod export;
mod import;
mod mirror;
mod selection;
mod staged;

pub(crate) use export::export;
pub(crate) use import::{Imported, import, try_out};
pub(crate) use mirror::mirror;
pub(crate) use selection::Machines;
