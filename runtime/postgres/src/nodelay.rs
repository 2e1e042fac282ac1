//! Telling the kernel not to hold back what was written to the database.
//!
//! sqlx 0.9.0 lost the `TCP_NODELAY` that its 0.8 had set (its issue 4335; mended after 0.9.0). A large
//! message goes out in several writes, and without that option the last of them waits for the server's
//! delayed acknowledgement: 40 ms for each large statement, measured at a third of the throughput. sqlx
//! does not show its socket, so the option is set on every socket of this process that is connected to
//! the database's port. To be removed with the next sqlx.

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "there is no safe way to a socket that sqlx keeps to itself")]
pub(crate) fn set(port: u16) {
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers =
        descriptors.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for number in numbers.filter(|number| peer_port(*number) == Some(port)) {
        let on: libc::c_int = 1;
        // SAFETY: the kernel reads one int that lives until the call returns. A number that has been
        // closed meanwhile is refused; one that is another socket by now gets an option that costs
        // it nothing.
        unsafe {
            libc::setsockopt(
                number,
                libc::IPPROTO_TCP,
                libc::TCP_NODELAY,
                std::ptr::from_ref(&on).cast(),
                size_of_val(&on) as libc::socklen_t,
            );
        }
    }
}

/// The port at the other end, if it is a socket with one.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "there is no safe way to a socket that sqlx keeps to itself")]
fn peer_port(descriptor: libc::c_int) -> Option<u16> {
    let mut address = [0u8; 128];
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into the array, and `length` is its size.
    let answer = unsafe {
        libc::getpeername(descriptor, address.as_mut_ptr().cast(), std::ptr::from_mut(&mut length))
    };
    let family = libc::c_int::from(u16::from_ne_bytes([address[0], address[1]]));
    let has_port = matches!(family, libc::AF_INET | libc::AF_INET6);
    // Both kinds of address have the port behind the family, in the order of the network.
    (answer == 0 && has_port).then(|| u16::from_be_bytes([address[2], address[3]]))
}

/// Elsewhere there is no list of descriptors; nothing is set.
#[cfg(not(target_os = "linux"))]
pub(crate) fn set(_port: u16) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn sockets_to_the_port_are_found_and_others_are_left_alone() {
        let [mine, other] = [(), ()].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let connect = |listener: &TcpListener| {
            TcpStream::connect(listener.local_addr().expect("it has one")).expect("it listens")
        };
        let (a, b) = (connect(&mine), connect(&other));
        assert_eq!((a.nodelay().ok(), b.nodelay().ok()), (Some(false), Some(false)));
        set(mine.local_addr().expect("it has one").port());
        assert_eq!((a.nodelay().ok(), b.nodelay().ok()), (Some(true), Some(false)));
    }
}
