//! Smartlead: the stand-in for it, and the provider against the stand-in.

mod simulator;
