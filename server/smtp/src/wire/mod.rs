//! Wire syntax: commands, parameters, data.
