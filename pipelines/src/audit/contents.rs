//! Whether the bytes of a table's files are those that were written.

use futures::StreamExt;
use sluice_operators::sink::delta::{checksum_in_name, content_checksum};
use sluice_operators::store::{Store, TableAtEpoch};

/// Files that are read at once.
const READS_MAX: usize = 4;

/// Reads all files of a table; gives what is wrong with them, one text for each.
pub(super) async fn altered_files(store: &Store, path: &str, table: &TableAtEpoch) -> Vec<String> {
    let reads = table.files.iter().filter_map(|f| Some((f.file.path.clone(), checksum_in_name(&f.file.path)?)));
    let reads = reads.map(|(file, expected)| async move {
        match store.get(&format!("{path}/{file}")).await {
            Ok(Some(bytes)) if content_checksum(&bytes) == expected => None,
            Ok(Some(bytes)) => {
                Some(format!("file {file} has been altered: its {} bytes are not those that were written", bytes.len()))
            }
            Ok(None) => Some(format!("file {file} is gone")),
            Err(e) => Some(format!("file {file} cannot be read: {e}")),
        }
    });
    futures::stream::iter(reads).buffered(READS_MAX).filter_map(std::future::ready).collect().await
}
