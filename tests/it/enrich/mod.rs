//! Enrichment by the real binary, against the stand-in for LeadMagic that counts credits from its own side.

mod domains;
mod proof;
mod simulator;
mod story;
