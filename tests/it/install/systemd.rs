//! systemd's units, as systemd reads them.

use super::super::support::{command, installed};
use super::{root, text_of};

const UNITS: [&str; 3] = ["backout.service", "backout.timer", "backout-daemon.service"];

fn unit(name: &str) -> String {
    text_of(&format!("deploy/systemd/{name}"))
}

#[test]
fn systemd_takes_every_unit() {
    let home = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_backout");
    let mut paths = Vec::new();
    for name in UNITS {
        let path = home.path().join(name);
        std::fs::write(&path, unit(name).replace("/usr/local/bin/backout", program)).unwrap();
        paths.push(path);
    }
    let files = std::fs::read_dir(root("deploy/systemd")).unwrap().count();
    assert_eq!(files, UNITS.len(), "each file is tested");
    let verify = || {
        let mut verify = command(&installed("systemd-analyze", "systemd"));
        verify.args(["verify", "--man=no", "--recursive-errors=no"]).args(&paths);
        let done = verify.output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (is_good, told) = verify();
    let about_ours = |told: &str| {
        told.lines().filter(|line| line.contains("backout")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(is_good && about_ours(&told).is_empty(), "{told}");
    // What is wrong is told.
    std::fs::write(&paths[0], unit(UNITS[0]).replace("PrivateTmp=yes", "PrivateTemp=yes")).unwrap();
    let (_, told) = verify();
    assert!(told.contains("PrivateTemp"), "{told}");
}

#[test]
fn services_are_hardened() {
    for name in ["backout.service", "backout-daemon.service"] {
        let done = command(&installed("systemd-analyze", "systemd"))
            .args(["security", "--offline=true", "--threshold=15", "--no-pager"])
            .arg(root("deploy/systemd").join(name))
            .output()
            .unwrap();
        // An exposure of 1.5, of 10.
        assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stdout));
        for line in
            ["DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="]
        {
            assert!(unit(name).lines().any(|one| one == line), "{name}: {line}");
        }
    }
}

#[test]
fn the_unit_of_a_pass_knows_the_exit_codes() {
    assert!(unit("backout.service").contains("\nSuccessExitStatus=3\n"));
    assert!(unit("backout.service").contains(" run --once\n"));
    assert!(unit("backout-daemon.service").contains(" run\n"));
}
