//! The web and the control socket.
