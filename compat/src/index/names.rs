//! Names as numbers.
//!
//! A search compares and looks up names all the time. Each name that the entries of one index
//! have or refer to is looked up once, when an entry is read, and is a number from then on.

use std::sync::Arc;

use provisioning_package::PackageName;
use pubgrub::Map;

/// The names that the entries of one index have or refer to, each with its number.
///
/// Numbers depend on the order in which names came, so nothing may be sorted by them.
#[derive(Debug, Clone, Default)]
pub struct Names {
    numbers: Map<Arc<PackageName>, u32>,
}

impl Names {
    /// The number of `name`, if it has one.
    pub fn known(&self, name: &PackageName) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The number of `name`, which gets one if it has none.
    pub fn number(&mut self, name: &PackageName) -> u32 {
        self.shared(name).1
    }

    /// The same, with a copy of the name to keep.
    pub(super) fn shared(&mut self, name: &PackageName) -> (Arc<PackageName>, u32) {
        if let Some((shared, number)) = self.numbers.get_key_value(name) {
            return (Arc::clone(shared), *number);
        }
        let number = u32::try_from(self.numbers.len()).expect("fewer than 2^32 packages exist");
        let shared = Arc::new(name.clone());
        self.numbers.insert(Arc::clone(&shared), number);
        (shared, number)
    }
}
