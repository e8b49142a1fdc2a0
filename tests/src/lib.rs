//! The appliance driven from outside through its real ports by real clients.
