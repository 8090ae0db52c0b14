//! What a failing store means for the caller.

use object_store::Error as StoreError;
use sluice_engine::{Error, ErrorKind};

/// An error of the store, in the engine's words. `doing` says what was tried and where ("read hdfs://.../x").
pub fn store_error(doing: &str, e: StoreError) -> Error {
    let (kind, hint) = match &e {
        StoreError::InvalidPath { .. }
        | StoreError::NotSupported { .. }
        | StoreError::NotImplemented { .. }
        | StoreError::UnknownConfigurationKey { .. } => (ErrorKind::Bug, ""),
        StoreError::PermissionDenied { .. } => {
            (ErrorKind::Config, "; give this user the right to read and write there, or set another lake")
        }
        StoreError::Unauthenticated { .. } => (ErrorKind::Config, "; log in first (Kerberos: kinit)"),
        _ => (ErrorKind::Transient, ""),
    };
    Error::new(kind, format!("could not {doing}{hint}")).because(e)
}
