//! The house rules that no compiler holds.
