//! What is proved about a letter from the world.

mod inquiry;
mod spf;
#[cfg(test)]
mod table;

pub use inquiry::Inquiry;
pub use spf::{SpfResult, spf};
