//! Reading files and parts of files.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use hdfs_native::client::FileStatus;
use hdfs_native::file::FileReader;
use object_store::path::Path;
use object_store::{GetOptions, GetResult, GetResultPayload, ObjectMeta, Result as StoreResult};

use super::error::{Failed, What, failed, hdfs_error, no_answer};
use super::list::meta;
use super::{Hdfs, READ_DEADLINE, absolute};

/// Ranges that lie closer together than this are read as one.
const GAP_BYTES_MAX: u64 = 64 << 10;

impl Hdfs {
    pub(super) async fn head(&self, from: &Path) -> Result<ObjectMeta, Failed> {
        let path = absolute(from);
        let status: FileStatus = self.ask("find", &path, self.client.get_file_info(&path)).await?;
        if status.isdir {
            return Err(failed(&self.address, &path, What::Missing, "it is a folder"));
        }
        meta(&self.address, &status)
    }

    pub(super) async fn get(&self, from: &Path, options: GetOptions) -> StoreResult<GetResult> {
        let mut meta = self.head(from).await?;
        options.check_preconditions(&meta)?;
        let empty = || GetResultPayload::Stream(stream::empty().boxed());
        let (range, payload) = if options.head {
            (0..0, empty())
        } else {
            let reader = self.open_file(from).await?;
            meta.size = reader.file_length() as u64;
            let whole = 0..meta.size;
            let range = match &options.range {
                None => whole,
                Some(range) => range
                    .as_range(meta.size)
                    .map_err(|e| failed(&self.address, from.as_ref(), What::Other, &e.to_string()))?,
            };
            let pieces = self.pieces(from, &reader, &range);
            (range, GetResultPayload::Stream(pieces))
        };
        Ok(GetResult { payload, meta, range, attributes: Default::default() })
    }

    /// Many ranges of one file, which is looked up once.
    pub(super) async fn get_pieces(&self, from: &Path, ranges: &[Range<u64>]) -> StoreResult<Vec<Bytes>> {
        let reader = self.open_file(from).await?;
        let length = reader.file_length() as u64;
        if let Some(outside) = ranges.iter().find(|r| r.end > length || r.start > r.end) {
            let message = format!("bytes {} to {} are asked for and it has {length}", outside.start, outside.end);
            return Err(failed(&self.address, from.as_ref(), What::Other, &message).into());
        }
        let joined = join_near(ranges);
        let mut read = Vec::with_capacity(joined.len());
        for range in &joined {
            let mut bytes = BytesMut::with_capacity((range.end - range.start) as usize);
            let mut pieces = self.pieces(from, &reader, range);
            while let Some(piece) = pieces.try_next().await? {
                bytes.extend_from_slice(&piece);
            }
            read.push(bytes.freeze());
        }
        Ok(ranges.iter().map(|range| cut(&joined, &read, range)).collect())
    }

    pub(super) async fn open_file(&self, from: &Path) -> Result<FileReader, Failed> {
        let path = absolute(from);
        self.ask("open", &path, self.client.read(&path)).await
    }

    /// The bytes of a range, piece by piece; each piece has its deadline.
    pub(super) fn pieces(
        &self,
        from: &Path,
        reader: &FileReader,
        range: &Range<u64>,
    ) -> BoxStream<'static, StoreResult<Bytes>> {
        let (start, length) = (range.start as usize, (range.end - range.start) as usize);
        if length == 0 {
            return stream::empty().boxed();
        }
        let inner = reader.read_range_stream(start, length).boxed();
        let path = absolute(from);
        let address = self.address.clone();
        stream::try_unfold(inner, move |mut inner| {
            let (address, path) = (address.clone(), path.clone());
            async move {
                match tokio::time::timeout(READ_DEADLINE, inner.next()).await {
                    Ok(None) => Ok(None),
                    Ok(Some(Ok(piece))) => Ok(Some((piece, inner))),
                    Ok(Some(Err(e))) => Err(hdfs_error(&address, "read", &path, e).into()),
                    Err(_) => Err(no_answer(&address, "read", &path, READ_DEADLINE).into()),
                }
            }
        })
        .boxed()
    }
}

/// The ranges, sorted, with near ones joined.
fn join_near(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.iter().filter(|r| !r.is_empty()).cloned().collect();
    sorted.sort_by_key(|r| r.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP_BYTES_MAX) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// One range out of what was read.
fn cut(joined: &[Range<u64>], read: &[Bytes], range: &Range<u64>) -> Bytes {
    if range.is_empty() {
        return Bytes::new();
    }
    let i = joined.partition_point(|j| j.start <= range.start) - 1;
    let start = (range.start - joined[i].start) as usize;
    read[i].slice(start..start + (range.end - range.start) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranges in any order, empty and overlapping ones too, are cut from fewer reads as if each had been read alone.
    #[test]
    fn near_ranges_are_read_as_one() {
        let far = 10 * GAP_BYTES_MAX;
        let file: Vec<u8> = (0..far + 100).map(|i| (i % 251) as u8).collect();
        let ranges = [far..far + 50, 5..10, 0..7, 20..20, 100..200];
        let joined = join_near(&ranges);
        assert_eq!(joined, [0..200, far..far + 50]);
        let part = |r: &Range<u64>| Bytes::copy_from_slice(&file[r.start as usize..r.end as usize]);
        let read: Vec<Bytes> = joined.iter().map(part).collect();
        for range in &ranges {
            assert_eq!(cut(&joined, &read, range), part(range));
        }
    }
}
