use super::*;

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];
const PATIENT: Duration = Duration::from_secs(10);

struct Rig {
    connections: Connections,
    inputs: mpsc::Receiver<Input>,
    counters: Arc<Counters>,
}

fn rig() -> Rig {
    let (sender, inputs) = mpsc::channel(1000);
    let counters = Arc::new(Counters::default());
    let connections = Connections::new(sender, Arc::clone(&counters));
    Rig {
        connections,
        inputs,
        counters,
    }
}

fn hop(remote: SocketAddr) -> Hop {
    Hop {
        transport: Transport::Tcp,
        local: SocketAddr::from((LOOPBACK, 5060)),
        remote,
        connection: None,
    }
}

fn message(number: usize) -> Bytes {
    let text = format!(
        "OPTIONS sip:{number}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK{number}\r\n\
         From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: {number}\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    Bytes::from(text)
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(SocketAddr::from((LOOPBACK, 0)))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

impl Rig {
    fn send(&self, hop: Hop, number: usize) {
        let bytes = message(number);
        self.connections.send(Transmit { hop, bytes });
    }

    async fn closed(&mut self) -> Hop {
        match timeout(PATIENT, self.inputs.recv()).await.unwrap().unwrap() {
            Input::SipClosed { hop } => hop,
            other => panic!("{other:?}"),
        }
    }

    async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_millis(100), self.inputs.recv())
            .await
            .is_err()
    }
}

#[tokio::test]
async fn messages_to_a_new_peer_share_one_connection_and_keep_their_order() {
    let (rig, (listener, address)) = (rig(), listener().await);
    for number in 0..50 {
        rig.send(hop(address), number);
    }
    let (mut stream, _) = timeout(PATIENT, listener.accept()).await.unwrap().unwrap();
    let wanted: Vec<u8> = (0..50).flat_map(message).collect();
    let mut got = vec![0; wanted.len()];
    timeout(PATIENT, stream.read_exact(&mut got))
        .await
        .unwrap()
        .unwrap();
    assert!(got == wanted);
    let second = timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(second.is_err());
    assert_eq!(rig.connections.lock().connections.len(), 1);
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_told_once_for_all_that_waited() {
    let (mut rig, (listener, address)) = (rig(), listener().await);
    drop(listener);
    for number in 0..5 {
        rig.send(hop(address), number);
    }
    assert_eq!(rig.closed().await, hop(address));
    assert!(rig.is_silent().await);
    let open = rig.connections.lock();
    assert!(open.connections.is_empty() && open.remotes.is_empty() && open.peers.is_empty());
}

#[tokio::test]
async fn an_answer_names_our_listening_address_and_the_end_is_told_to_both_kinds_of_senders() {
    let (mut rig, (listener, address)) = (rig(), listener().await);
    rig.send(hop(address), 1);
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(&message(2)).await.unwrap();
    let came = match timeout(PATIENT, rig.inputs.recv()).await.unwrap().unwrap() {
        Input::Sip { hop, message } => {
            assert!(message.is_ok());
            hop
        }
        other => panic!("{other:?}"),
    };
    assert_eq!((came.local, came.remote), (hop(address).local, address));
    let named = came.connection.unwrap();
    rig.send(came, 3);
    drop(stream);
    let ends = [rig.closed().await, rig.closed().await].map(|hop| hop.connection);
    assert!(
        ends.contains(&None) && ends.contains(&Some(named)),
        "{ends:?}"
    );
    assert!(rig.is_silent().await);
    rig.send(came, 4);
    assert_eq!(rig.closed().await, came);
}

#[tokio::test]
async fn a_connection_that_a_peer_made_is_used_for_messages_to_it() {
    let mut rig = rig();
    let address = rig
        .connections
        .listen(SocketAddr::from((LOOPBACK, 0)))
        .await
        .unwrap();
    let mut phone = TcpStream::connect(address).await.unwrap();
    phone.write_all(&message(1)).await.unwrap();
    let came = match timeout(PATIENT, rig.inputs.recv()).await.unwrap().unwrap() {
        Input::Sip { hop, .. } => hop,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (came.local, came.remote),
        (address, phone.local_addr().unwrap())
    );
    rig.send(hop(came.remote), 2);
    let mut got = vec![0; message(2).len()];
    timeout(PATIENT, phone.read_exact(&mut got))
        .await
        .unwrap()
        .unwrap();
    assert!(got == message(2));
    assert_eq!(rig.connections.lock().connections.len(), 1);
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_given_up_and_told_once() {
    let (mut rig, (listener, address)) = (rig(), listener().await);
    rig.send(hop(address), 0);
    let (_stream, _) = listener.accept().await.unwrap();
    let big = Bytes::from(vec![b'x'; 1 << 20]);
    let before = rig.connections.lock().connections.len();
    for _ in 0..=WRITE_QUEUE * 2 {
        if rig.connections.lock().connections.is_empty() {
            break;
        }
        rig.connections.send(Transmit {
            hop: hop(address),
            bytes: big.clone(),
        });
        tokio::task::yield_now().await;
    }
    assert_eq!((before, rig.connections.lock().connections.len()), (1, 0));
    let ends = [rig.closed().await, rig.closed().await].map(|hop| hop.connection.is_some());
    assert!(ends.contains(&false) && ends.contains(&true), "{ends:?}");
    assert!(rig.is_silent().await);
}

#[tokio::test]
async fn no_more_connections_are_made_to_one_peer_than_the_limit() {
    let mut rig = rig();
    rig.connections
        .lock()
        .peers
        .insert(LOOPBACK.into(), CONNECTIONS_PER_PEER);
    let (_listener, address) = listener().await;
    rig.send(hop(address), 1);
    assert_eq!(rig.closed().await, hop(address));
    assert_eq!(rig.counters.refused_connections.load(Ordering::Relaxed), 1);
}
