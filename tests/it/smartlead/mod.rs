//! Smartlead: the stand-in for it, and the provider against the stand-in.

mod campaigns;
mod feedback;
mod leads;
mod proof;
mod simulator;
mod story;
