//! Everything, in a file: a rehearsal goes on where it stopped.

use std::path::Path;

use super::SimulateError;
use super::world::World;

/// The state of an earlier run, if there was one.
pub(super) fn load(path: &Path) -> Result<Option<World>, SimulateError> {
    let name = || path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SimulateError::State { path: name(), source }),
    };
    serde_json::from_str(&text).map(Some).map_err(|source| SimulateError::Foreign { path: name(), source })
}

/// Writes the state when something has happened since `saved`, which counts calls and mails.
pub(super) fn save(path: &Path, world: &World, saved: &mut usize) -> Result<(), SimulateError> {
    let happened = world.calls.len() + world.mails.len() + world.deliveries.len();
    if happened == *saved {
        return Ok(());
    }
    *saved = happened;
    let failed = |source| SimulateError::State { path: path.display().to_string(), source };
    let text = serde_json::to_vec(world).map_err(std::io::Error::from).map_err(failed)?;
    // A crash leaves the old state or the new one.
    let partial = path.with_extension("partial");
    std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path)).map_err(failed)
}
