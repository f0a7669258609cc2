//! Smartlead: the stand-in for it, and the provider against the stand-in.

mod campaigns;
mod chaos;
mod feedback;
mod leads;
mod proof;
mod simulator;
mod story;
