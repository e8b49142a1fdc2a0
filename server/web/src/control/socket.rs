//! The unix socket of a running server.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

use super::{Operator, Request, Response};

/// The socket's name in the data folder.
pub const SOCKET_NAME: &str = "control.sock";

/// No request comes near this; it bounds what a broken client can make us hold.
const MAX_REQUEST: u64 = 1 << 20;
/// A long queue or a long story fits; it bounds what a broken server can make the command line hold.
const MAX_RESPONSE: u64 = 256 << 20;
/// Operators are few.
const MAX_CONNECTIONS: usize = 16;
/// A connection that says nothing gives its place back.
const SILENCE: Duration = Duration::from_secs(60);

/// Why the command line can't talk to a running server.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No server is listening: it is stopped.
    #[error("no server is running on this data folder")]
    NotRunning,
    /// The socket may not be used by this user.
    #[error("{0}: only the server's own user and root may control it: try again with sudo")]
    Forbidden(PathBuf),
    /// Anything else.
    #[error("the running server can't be reached: {0}")]
    Io(#[from] io::Error),
}

/// The listening side.
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Binds the socket, mode 0600, replacing one that a killed server left behind. The caller holds the store open,
    /// so that no other server can own the path.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // The folder is 0700: nobody else gets in between bind and chmod.
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves until `stopped` turns true, then removes the socket.
    pub async fn run(self, operator: Operator, mut stopped: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stopped.wait_for(|stop| *stop) => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the control socket can't accept");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let operator = operator.clone();
            tokio::spawn(async move {
                if let Err(error) = converse(stream, operator).await {
                    tracing::debug!(%error, "a control connection broke");
                }
                drop(place);
            });
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn converse(stream: UnixStream, operator: Operator) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let line = match tokio::time::timeout(SILENCE, read_line(&mut read, MAX_REQUEST)).await {
            Ok(Ok(Some(line))) => line,
            Ok(Ok(None)) | Err(_) => return Ok(()),
            Ok(Err(error)) => return Err(error),
        };
        let response = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => operator.perform(request).await,
            Err(error) => Response::Error(format!("This server does not understand the request: {error}.")),
        };
        let mut answer = serde_json::to_vec(&response)?;
        answer.push(b'\n');
        write.write_all(&answer).await?;
    }
}

/// One line without its end; `None` at the end of the stream.
async fn read_line<R: tokio::io::AsyncBufRead + Unpin>(read: &mut R, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let taken = read.take(limit).read_until(b'\n', &mut line).await?;
    if taken == 0 {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long or cut short"));
    }
    Ok(Some(line))
}

/// The command line's side.
pub struct Client {
    read: BufReader<tokio::net::unix::OwnedReadHalf>,
    write: tokio::net::unix::OwnedWriteHalf,
}

impl Client {
    /// Connects to the server of a data folder.
    ///
    /// # Errors
    /// [`ControlError::NotRunning`] when there is none, so that the caller may open the store itself.
    pub async fn connect(data: &Path) -> Result<Self, ControlError> {
        let path = data.join(SOCKET_NAME);
        match UnixStream::connect(&path).await {
            Ok(stream) => {
                let (read, write) = stream.into_split();
                Ok(Self { read: BufReader::new(read), write })
            }
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::NotRunning,
                io::ErrorKind::PermissionDenied => ControlError::Forbidden(path),
                _ => ControlError::Io(error),
            }),
        }
    }

    /// Asks one thing.
    pub async fn ask(&mut self, request: &Request) -> Result<Response, ControlError> {
        let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
        line.push(b'\n');
        self.write.write_all(&line).await?;
        let answer = read_line(&mut self.read, MAX_RESPONSE).await?;
        let answer = answer.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        Ok(serde_json::from_slice(&answer).map_err(io::Error::from)?)
    }
}
