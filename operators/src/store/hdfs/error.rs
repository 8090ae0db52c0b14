//! What HDFS answered, in words that say what to do.

use std::io::ErrorKind;
use std::time::Duration;

use hdfs_native::HdfsError;
use object_store::Error as StoreError;
use url::Url;

/// How long a look may take at whether anybody listens at the NameNode's port.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// Why a call did not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failed {
    message: String,
    pub(super) what: What,
    path: String,
    #[source]
    source: Option<HdfsError>,
}

/// What the caller can make of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Missing,
    Exists,
    Forbidden,
    NotLoggedIn,
    /// Away, slow or broken; a change may have happened nevertheless.
    Other,
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        let path = failed.path.clone();
        let what = failed.what;
        let source = Box::new(failed);
        match what {
            What::Missing => StoreError::NotFound { path, source },
            What::Exists => StoreError::AlreadyExists { path, source },
            What::Forbidden => StoreError::PermissionDenied { path, source },
            What::NotLoggedIn => StoreError::Unauthenticated { path, source },
            What::Other => StoreError::Generic { store: "hdfs", source },
        }
    }
}

/// An answer of HDFS as a failure. `address` is `hdfs://host:port`; `path` begins with a slash or is below it.
pub(super) fn hdfs_error(address: &str, doing: &str, path: &str, e: HdfsError) -> Failed {
    let (what, hint) = judge(&e);
    let hint = hint.map(|h| format!(": {h}")).unwrap_or_default();
    let path = path.trim_start_matches('/');
    Failed {
        message: format!("hdfs could not {doing} {address}/{path}{hint}"),
        what,
        path: path.to_string(),
        source: Some(e),
    }
}

/// The NameNode did not answer in time. The client tries for longer than that to connect, and does not say that it could
/// not: so the port is looked at here.
pub(super) async fn overdue(address: &str, doing: &str, path: &str, deadline: Duration) -> Failed {
    match refused(address).await {
        Some(e) => hdfs_error(address, doing, path, HdfsError::IOError(e)),
        None => no_answer(address, doing, path, deadline),
    }
}

/// Why nobody can connect to the NameNode; none when one can, or when the address is a nameservice's.
async fn refused(address: &str) -> Option<std::io::Error> {
    let url = Url::parse(address).ok()?;
    let connection = tokio::net::TcpStream::connect((url.host_str()?.to_owned(), url.port()?));
    tokio::time::timeout(CONNECT_DEADLINE, connection).await.ok()?.err()
}

/// No answer came in time.
pub(super) fn no_answer(address: &str, doing: &str, path: &str, deadline: Duration) -> Failed {
    let path = path.trim_start_matches('/');
    let seconds = deadline.as_secs();
    Failed {
        message: format!(
            "hdfs gave no answer within {seconds} s to {doing} {address}/{path}: is the namenode (or a datanode) hanging, \
             or a firewall dropping packets?"
        ),
        what: What::Other,
        path: path.to_string(),
        source: None,
    }
}

/// A failure that no answer of HDFS stands behind.
pub(super) fn failed(address: &str, path: &str, what: What, message: &str) -> Failed {
    let path = path.trim_start_matches('/');
    Failed { message: format!("{address}/{path}: {message}"), what, path: path.to_string(), source: None }
}

fn judge(e: &HdfsError) -> (What, Option<&'static str>) {
    match e {
        HdfsError::FileNotFound(_) => (What::Missing, None),
        HdfsError::AlreadyExists(_) => (What::Exists, None),
        HdfsError::RPCError(class, _) | HdfsError::FatalRPCError(class, _) => judge_remote(class),
        HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => (
            What::NotLoggedIn,
            Some("Kerberos did not let us in; run kinit, and check HADOOP_CONF_DIR and the time of both machines"),
        ),
        HdfsError::IOError(io) => (What::Other, Some(judge_io(io.kind()))),
        _ => (What::Other, None),
    }
}

/// `class` is the Java exception's.
fn judge_remote(class: &str) -> (What, Option<&'static str>) {
    match class.rsplit('.').next().unwrap_or(class) {
        "FileNotFoundException" => (What::Missing, None),
        "FileAlreadyExistsException" | "AlreadyBeingCreatedException" => (What::Exists, None),
        "AccessControlException" | "AuthorizationException" => {
            (What::Forbidden, Some("this user may not; set HADOOP_USER_NAME, or change the folder's owner or mode"))
        }
        "SafeModeException" => (
            What::Other,
            Some(
                "the namenode is in safe mode (it has just started, or misses blocks); wait, or see `hdfs dfsadmin -safemode get`",
            ),
        ),
        "StandbyException" => {
            (What::Other, Some("this namenode is standby; write hdfs://<nameservice>/... and set HADOOP_CONF_DIR"))
        }
        "DSQuotaExceededException" | "NSQuotaExceededException" => {
            (What::Other, Some("the folder's quota is used up; raise it, or take away what nobody needs"))
        }
        _ => (What::Other, None),
    }
}

fn judge_io(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ConnectionRefused => {
            "nothing listens there; is the namenode (or the datanode it names) up, and are host and port right?"
        }
        ErrorKind::TimedOut => "it did not answer in time",
        ErrorKind::NotFound => "its host name is not known",
        _ => "the connection was lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a caller has to tell apart survives the way into the store's errors, with words that help.
    #[test]
    fn answers_are_told_apart() {
        let of = |e| StoreError::from(hdfs_error("hdfs://nn:1", "read", "/a/b", e));
        let remote = |class: &str| of(HdfsError::RPCError(class.into(), "no".into()));
        assert!(matches!(remote("java.io.FileNotFoundException"), StoreError::NotFound { path, .. } if path == "a/b"));
        assert!(matches!(remote("org.apache.hadoop.fs.FileAlreadyExistsException"), StoreError::AlreadyExists { .. }));
        let forbidden = remote("org.apache.hadoop.security.AccessControlException");
        assert!(matches!(forbidden, StoreError::PermissionDenied { .. }));
        let away = of(HdfsError::IOError(ErrorKind::ConnectionRefused.into())).to_string();
        assert!(away.contains("hdfs://nn:1/a/b") && away.contains("nothing listens there"), "{away}");
    }
}
