//! A connection on which something can be lost: stands between a store and its server.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What happens to the next statement that is meant, which is COMMIT unless another is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Nothing.
    Nothing,
    /// The connection breaks before the server hears of it.
    Request,
    /// The connection breaks when the server has done it and says so.
    Reply,
    /// The connection breaks when some of the reply has been passed on.
    RestOfTheReply,
    /// From now on nothing arrives any more, and nobody is told.
    Everything,
}

impl Loss {
    const ALL: [Self; 5] =
        [Self::Nothing, Self::Request, Self::Reply, Self::RestOfTheReply, Self::Everything];
}

/// What is to be lost, and at which statement.
struct Threat {
    loss: AtomicU8,
    statement: Mutex<Vec<u8>>,
}

impl Threat {
    fn is_meant(&self, request: &[u8]) -> bool {
        let statement = self.statement.lock().unwrap_or_else(PoisonError::into_inner);
        request.windows(statement.len()).any(|text| text == *statement)
    }
}

/// The way to a server.
pub(crate) struct Proxy {
    port: u16,
    threat: Arc<Threat>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// A way to the server at `port` on which nothing is lost yet.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("it has an address").port();
        let statement = Mutex::new(b"COMMIT\0".to_vec());
        let threat = Arc::new(Threat { loss: AtomicU8::new(0), statement });
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&threat);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                // Nobody listens while the server is away; the client is then not let in either.
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                connections.spawn(carry(client, server, Arc::clone(&shared)));
            }
        });
        Self { port: own, threat, _tasks: tasks }
    }

    /// What the next COMMIT meets.
    pub(crate) fn lose(&self, loss: Loss) {
        self.lose_at(b"COMMIT\0", loss);
    }

    /// What the next such statement meets.
    pub(crate) fn lose_at(&self, statement: &[u8], loss: Loss) {
        *self.threat.statement.lock().unwrap_or_else(PoisonError::into_inner) = statement.to_vec();
        self.threat.loss.store(loss as u8, Ordering::SeqCst);
    }

    /// The address of a database behind it. It has to read along, so nothing is encrypted.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, threat: Arc<Threat>) {
    let loss = &threat.loss;
    let (mut request, mut reply) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(length @ 1..) = read else { return };
                let is_meant = threat.is_meant(&request[..length]);
                let now = Loss::ALL[loss.load(Ordering::SeqCst) as usize];
                match now {
                    Loss::Everything => continue,
                    Loss::Nothing => {}
                    _ if !is_meant => {}
                    Loss::Request => return loss.store(0, Ordering::SeqCst),
                    Loss::Reply | Loss::RestOfTheReply => {
                        server.write_all(&request[..length]).await.expect("the server listens");
                        let said = server.read(&mut reply).await.unwrap_or(0);
                        if now == Loss::RestOfTheReply {
                            let _passed = client.write_all(&reply[..said / 2]).await;
                        }
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
