//! Conditions of a campaign, in the manner of Kubernetes: a kind, whether it holds, why.

/// What is asked of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionKind {
    /// The last look was made from the present files, and all of it went through.
    Ready,
    /// The guard holds a plan back.
    Blocked,
    /// Something is wrong that does not stop everything: a provider away, a push in doubt ...
    Degraded,
    /// By a person or by the file: nobody enters, stops go out.
    Paused,
}

impl ConditionKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Blocked => "blocked",
            Self::Degraded => "degraded",
            Self::Paused => "paused",
        }
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub kind: ConditionKind,
    pub holds: bool,
    /// One word for programs: `InStep`, `ProviderAway` ...
    pub reason: String,
    /// For people.
    pub message: String,
}
