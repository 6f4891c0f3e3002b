//! What every service does alike: read its arguments, listen, and ask another service.

mod arguments;
mod asking;
mod listening;

pub use arguments::{Arguments, Flag, Outcome};
pub use asking::{Answer, Upstream};
pub use listening::{block_on, listen};
