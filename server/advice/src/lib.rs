//! Advice: how it stands with the household's mail, and what to do about it.
//!
//! [`records`] says what each domain should publish in DNS, and judges what the world sees of it. [`doctor`] looks at
//! the host: ports, names, disk, clock, certificates, the queue.
//!
//! **Invariants:** it only looks, and changes nothing; every question has a time limit; what can't be found out is said
//! to be unknown, never guessed. Every finding says what is, why it matters and what to do, each in one sentence.
//!
//! Start reading at [`records`].

pub mod doctor;
pub mod records;
