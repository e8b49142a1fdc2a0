//! The pages people see: pure functions from view models to HTML.
