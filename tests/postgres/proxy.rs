//! A connection on which something can be lost: stands between a store and its server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What happens to the next COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Nothing.
    Nothing,
    /// The connection breaks before the server hears of it.
    Request,
    /// The connection breaks when the server has done it and says so.
    Reply,
    /// From now on nothing arrives any more, and nobody is told.
    Everything,
}

impl Loss {
    const ALL: [Self; 4] = [Self::Nothing, Self::Request, Self::Reply, Self::Everything];
}

/// The way to a server.
pub(crate) struct Proxy {
    port: u16,
    loss: Arc<AtomicU8>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// A way to the server at `port` on which nothing is lost yet.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("it has an address").port();
        let loss = Arc::new(AtomicU8::new(0));
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&loss);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
                connections.spawn(carry(client, server, Arc::clone(&shared)));
            }
        });
        Self { port: own, loss, _tasks: tasks }
    }

    /// What the next COMMIT meets.
    pub(crate) fn lose(&self, loss: Loss) {
        self.loss.store(loss as u8, Ordering::SeqCst);
    }

    /// The address of a database behind it. It has to read along, so nothing is encrypted.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, loss: Arc<AtomicU8>) {
    let (mut request, mut reply) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(length @ 1..) = read else { return };
                let is_commit = request[..length].windows(7).any(|text| text == b"COMMIT\0");
                let now = Loss::ALL[loss.load(Ordering::SeqCst) as usize];
                match now {
                    Loss::Everything => continue,
                    Loss::Nothing => {}
                    _ if !is_commit => {}
                    Loss::Request => return loss.store(0, Ordering::SeqCst),
                    Loss::Reply => {
                        server.write_all(&request[..length]).await.expect("the server listens");
                        let _said = server.read(&mut reply).await;
                        return loss.store(0, Ordering::SeqCst);
                    }
                }
                if server.write_all(&request[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut reply) => {
                let Ok(length @ 1..) = read else { return };
                if loss.load(Ordering::SeqCst) == Loss::Everything as u8 {
                    continue;
                }
                if client.write_all(&reply[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
