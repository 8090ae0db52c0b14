//! Tells delta-rs what `hdfs://` addresses are, for those of its functions that take an address and not a store.

use std::sync::{Arc, Once};

use deltalake::logstore::{
    LogStore, LogStoreFactory, ObjectStoreFactory, ObjectStoreRef, StorageConfig, default_logstore, logstore_factories,
    object_store_factories,
};
use deltalake::{DeltaResult, DeltaTableError};
use object_store::path::Path;
use url::Url;

use super::open;

/// Once for the program; later calls do nothing.
pub(super) fn register() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let scheme = Url::parse("hdfs://").expect("a scheme alone is an address");
        object_store_factories().insert(scheme.clone(), Arc::new(Factory));
        logstore_factories().insert(scheme, Arc::new(Factory));
    });
}

struct Factory;

impl ObjectStoreFactory for Factory {
    fn parse_url_opts(&self, url: &Url, _: &StorageConfig) -> DeltaResult<(ObjectStoreRef, Path)> {
        let store = open(url.clone()).map_err(|e| DeltaTableError::GenericError { source: Box::new(e) })?;
        Ok((store.root, store.prefix))
    }
}

impl LogStoreFactory for Factory {
    fn with_options(
        &self,
        table: ObjectStoreRef,
        root: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(table, root, location, options))
    }
}
