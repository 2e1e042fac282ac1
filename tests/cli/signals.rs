//! SIGINT and SIGTERM.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Place, core_pack, eventually, lives, now};

/// A place with an action that says its process id and goes on for long.
fn long_place() -> Place {
    let place = Place::new();
    place.action("long", "", "echo $$ > pid; exec sleep 60\n");
    place
}

#[test]
fn run_ends_with_130_after_sigint_and_143_after_sigterm() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let place = long_place();
        let running =
            place.steadfast(&["run", "t.long", "--pack", "pack", "--data", "data"]).start();
        eventually("the action", || lives(&place.path("pack/pid")));
        let begun = now();
        running.signal(signal);
        let ended = running.wait().code(code).shows_nothing();
        ended.says("was stopped; the same command with --data data goes on with it");
        assert!(!lives(&place.path("pack/pid")), "the action lives on");
        assert!(now().duration_since(begun) < Duration::from_secs(10), "it took too long");
    }
}

#[test]
fn a_second_signal_does_not_wait_for_a_stubborn_process() {
    let place = Place::new();
    place.action("long", "", "trap '' TERM; echo $$ > pid; while :; do sleep 1; done\n");
    let start = place.steadfast(&["run", "t.long", "--pack", "pack"]);
    let running = start.env("STEADFAST__WORKER__KILL_GRACE", "30").start();
    eventually("the action", || lives(&place.path("pack/pid")));
    let mut running = running;
    running.signal(Signal::INT);
    running.until("was stopped");
    let begun = now();
    running.signal(Signal::TERM);
    running.wait().code(143);
    assert!(now().duration_since(begun) < Duration::from_secs(10), "it waited");
    eventually("the end of the action", || !lives(&place.path("pack/pid")));
}

#[test]
fn dev_lets_running_work_finish_within_the_shutdown_timeout() {
    let place = Place::new();
    place.action("brief", "", "echo $$ > pid; sleep 1; echo over > over\n");
    let arguments = ["dev", "--pack", "pack", "--listen", "127.0.0.1:0", "--data", "data"];
    let mut dev = place.steadfast(&arguments).start();
    let url = address(&dev.until("steadfast listens on http://"));
    place.run(&["execution", "run", "t.brief", "--api-url", &url]).code(0);
    eventually("the action", || lives(&place.path("pack/pid")));
    dev.signal(Signal::TERM);
    dev.wait().code(143);
    assert!(place.path("pack/over").exists(), "it was cut off");

    let arguments = ["dev", "--pack", "pack", "--listen", "127.0.0.1:0"];
    let mut dev = place.steadfast(&arguments).start();
    dev.until("steadfast listens on http://");
    dev.signal(Signal::INT);
    dev.wait().code(130);
}

/// The address in the line that `dev` prints.
pub(crate) fn address(output: &str) -> String {
    let at = output.find("http://").expect("there is an address");
    output[at..].split_whitespace().next().expect("it has an end").to_owned()
}

#[test]
fn a_port_in_use_is_exit_code_4() {
    let place = Place::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let ended = place.run(&["dev", "--listen", &address, "--pack", &core_pack()]).code(4);
    ended.says(&format!("{address} is in use by another program")).shows_nothing();
    let open = place.run(&["dev", "--listen", "0.0.0.0:0"]).code(2).shows_nothing();
    open.says("api.tokens");
    place.run(&["dev", "--listen", "nowhere"]).code(2).says("--listen: `api.listen` must be");
}
