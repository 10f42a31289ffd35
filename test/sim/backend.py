# SPDX-License-Identifier: AGPL-3.0-or-later
"""Content of volumes, and what is written to configfs so that the kernel shows them."""
import os
import tempfile

from lib import Sim, check, done

MIB = 1 << 20
IQN = "iqn.1993-08.org.debian:01:"


def files(folder):
    return sorted(os.listdir(folder))


def put(folder, volume, at, data):
    with open(f"{folder}/{volume['serial']}.img", "r+b") as f:
        f.seek(at)
        f.write(data)


def has(folder, thing, at, data):
    with open(f"{folder}/{thing['serial']}.img", "rb") as f:
        f.seek(at)
        return f.read(len(data)) == data


def size(folder, thing):
    return os.stat(f"{folder}/{thing['serial']}.img").st_size


def contents(folder):
    with Sim(options=["--backend", "files", folder]) as sim:
        v = sim.volume("v", 1 << 40)
        check("a terabyte takes no place", size(folder, v) == 1 << 40 and
              os.stat(f"{folder}/{v['serial']}.img").st_blocks == 0)
        put(folder, v, 5 << 30, b"one")
        snap = sim.post("volume-snapshots", {"suffix": "s"}, source_names="v").item
        put(folder, v, 5 << 30, b"two")
        put(folder, v, 9 << 30, b"new")
        check("a snapshot keeps what was there", has(folder, snap, 5 << 30, b"one"))
        copy = sim.post("volumes", {"source": {"name": "v"}}, names="copy").item
        check("a copy has what is there", has(folder, copy, 5 << 30, b"two") and size(folder, copy) == 1 << 40)
        sim.patch("volumes", {"provisioned": 2 << 40}, names="v")
        check("it grows", size(folder, v) == 2 << 40 and has(folder, v, 9 << 30, b"new"))
        inode = os.stat(f"{folder}/{v['serial']}.img").st_ino
        sim.post("volumes", {"source": {"name": "v.s"}}, names="v", overwrite="true")
        check("rollback: content and size of the snapshot, in the same file",
              has(folder, v, 5 << 30, b"one") and has(folder, v, 9 << 30, b"\0\0\0") and
              size(folder, v) == 1 << 40 and os.stat(f"{folder}/{v['serial']}.img").st_ino == inode)
        undo = sim.get("volume-snapshots", source_names="v", destroyed="true").item
        check("what was there is kept", has(folder, undo, 9 << 30, b"new") and size(folder, undo) == 2 << 40)
        again = sim.post("volumes", {"source": {"name": "v.s"}}, names="again").item
        check("a copy of a snapshot", has(folder, again, 5 << 30, b"one"))
        a = sim.get("volumes", names="v").item["space"]["total_used"]
        check("used is what the file takes", 0 < a < MIB, a)
        sim.destroy("v")
        check("destroyed it is there", has(folder, v, 5 << 30, b"one"))
        sim.delete("volumes", names="v")
        check("eradicated, its snapshots too", files(folder) == sorted(
            f"{x['serial']}.img" for x in (copy, again)), files(folder))


def tree(root):
    """Values by path, links by "path ->"; folders without either as such."""
    ret = {}
    for at, folders, names in os.walk(root):
        here = os.path.relpath(at, root)
        for name in folders + names:
            path = os.path.join(at, name)
            if os.path.islink(path):
                ret[f"{here}/{name}"] = "-> " + os.path.relpath(os.readlink(path), os.path.realpath(root))
            elif os.path.isfile(path):
                with open(path, encoding="ascii") as f:
                    ret[f"{here}/{name}"] = f.read()
    return ret


def links(root):
    return {k: v for k, v in tree(root).items() if v.startswith("->")}


def connect(sim, volume, host, method="POST", array=None, side="host_names"):
    return sim.ask(method, "connections", {"volume_names": volume, side: host}, array=array)


def iscsi(folder, root):
    options = ["--backend", "lio", folder, "--configfs", root, "--portal", "fa1=127.0.0.1:3260",
               "--portal", "fa1=127.0.0.2:3260", "--portal", "fa2=127.0.0.3:3260"]
    sim = Sim("fa1", "fa2", options=options)
    one, two = (f"target/iscsi/iqn.2010-06.com.purestorage:flasharray.{n}/tpgt_1" for n in ("fa1", "fa2"))
    t = tree(root)
    check("a target with its portals", t[f"{one}/enable"] == "1" and t[f"{one}/attrib/authentication"] == "0" and
          os.path.isdir(f"{root}/{one}/np/127.0.0.2:3260") and os.path.isdir(f"{root}/{two}/np/127.0.0.3:3260"), t)
    sim.make(array="fa1", pods=[{"name": "p", "arrays": ["fa1", "fa2"]}])
    for array in ("fa1", "fa2"):
        sim.make(array=array, hosts=[{"name": "pve1", "iqns": [IQN + "1"]}, {"name": "pve2", "iqns": [IQN + "2"]}])
    check("hosts may log in before anything is connected", os.path.isdir(f"{root}/{one}/acls/{IQN}2"))
    v = sim.volume("p::v", 64 * MIB)
    w = sim.volume("w", 32 * MIB)
    store = f"target/core/fileio_0/v{v['serial']}"
    connect(sim, "w", "pve1")
    connect(sim, "p::v", "pve1")
    t = tree(root)
    check("a backstore that says who it is", t[f"{store}/wwn/vendor_id"] == "PURE" and
          t[f"{store}/wwn/product_id"] == "FlashArray" and t[f"{store}/wwn/company_id"] == "0x24a937" and
          t[f"{store}/wwn/vpd_unit_serial"] == "0" + v["serial"].lower() and t[f"{store}/enable"] == "1" and
          t[f"{store}/control"] == f"fd_dev_name={os.path.realpath(folder)}/{v['serial']}.img,fd_dev_size={64 * MIB}", t)
    check("the LUN that was told, for that host", links(root) == {
        f"{one}/lun/lun_1/volume": f"-> target/core/fileio_0/v{w['serial']}",
        f"{one}/lun/lun_2/volume": f"-> {store}",
        f"{one}/acls/{IQN}1/lun_1/volume": f"-> {one}/lun/lun_1",
        f"{one}/acls/{IQN}1/lun_2/volume": f"-> {one}/lun/lun_2"}, links(root))
    connect(sim, "p::v", "pve1", array="fa2")
    connect(sim, "p::v", "pve2")
    lun = links(root)
    check("both arrays show one backstore", lun.get(f"{two}/lun/lun_1/volume") == f"-> {store}" and
          lun.get(f"{two}/acls/{IQN}1/lun_1/volume") == f"-> {two}/lun/lun_1" and
          lun.get(f"{one}/acls/{IQN}2/lun_1/volume") == f"-> {one}/lun/lun_2", lun)
    sim.patch("volumes", {"provisioned": 128 * MIB}, names="p::v")
    check("resize", tree(root)[f"{store}/control"] == f"fd_dev_size={128 * MIB}")
    connect(sim, "p::v", "pve1", method="DELETE")
    lun = links(root)
    check("disconnected from one host", f"{one}/acls/{IQN}1/lun_2/volume" not in lun and
          f"{one}/acls/{IQN}2/lun_1/volume" in lun and f"{one}/lun/lun_2/volume" in lun, lun)
    connect(sim, "p::v", "pve2", method="DELETE")
    lun = links(root)
    check("from all of one array", f"{one}/lun/lun_2/volume" not in lun and f"{two}/lun/lun_1/volume" in lun, lun)
    connect(sim, "p::v", "pve1", method="DELETE", array="fa2")
    check("from the last: no backstore any more", not os.path.exists(f"{root}/{store}"))
    sim.post("host-groups", names="g")
    sim.post("host-groups/hosts", group_names="g", member_names="pve2")
    connect(sim, "p::v", "g", side="host_group_names")
    check("a group's hosts see it", f"{one}/acls/{IQN}2/lun_254/volume" in links(root), links(root))
    sim.post("host-groups/hosts", group_names="g", member_names="pve1")
    check("who joins does", f"{one}/acls/{IQN}1/lun_254/volume" in links(root), links(root))
    sim.delete("host-groups/hosts", group_names="g", member_names="pve2")
    check("who leaves does not", f"{one}/acls/{IQN}2/lun_254/volume" not in links(root), links(root))
    sim.patch("hosts", {"add_iqns": [IQN + "1b"]}, names="pve1")
    check("a new initiator sees the host's volumes", f"{one}/acls/{IQN}1b/lun_254/volume" in links(root), links(root))
    status, said = sim.close()
    check("all is taken away in the end", (status, said) == (0, "") and tree(root) == {}, (said, tree(root)))


def nvme(folder, root):
    nqn = "nqn.2014-08.org.nvmexpress:uuid:1"
    sim = Sim(options=["--backend", "nvmet", folder, "--configfs", root, "--nvme", "fa1=127.0.0.1:4420",
                       "--nvme", "fa1=127.0.0.2:4420"])
    target = "nvmet/subsystems/nqn.2010-06.com.purestorage:flasharray.fa1"
    t = tree(root)
    check("a subsystem on two ports", t[f"{target}/attr_model"] == "Pure Storage FlashArray" and
          t["nvmet/ports/1/addr_traddr"] == "127.0.0.1" and t["nvmet/ports/2/addr_traddr"] == "127.0.0.2" and
          t["nvmet/ports/2/addr_trsvcid"] == "4420" and t["nvmet/ports/2/addr_trtype"] == "tcp" and
          f"-> {target}" in t.values(), t)
    sim.make(hosts=[{"name": "pve1", "nqns": [nqn]}])
    check("a host may connect", tree(root)[f"{target}/allowed_hosts/{nqn}"] == f"-> nvmet/hosts/{nqn}")
    v = sim.volume("v", 64 * MIB)
    connect(sim, "v", "pve1")
    t, serial = tree(root), v["serial"].lower()
    nguid = f"00{serial[:14]}24a937{serial[14:]}"
    check("a namespace with the serial's NGUID", t[f"{target}/namespaces/1/device_nguid"].replace("-", "") == nguid and
          t[f"{target}/namespaces/1/device_path"] == f"{os.path.realpath(folder)}/{v['serial']}.img" and
          t[f"{target}/namespaces/1/enable"] == "1", t)
    sim.patch("volumes", {"provisioned": 128 * MIB}, names="v")
    check("resize", tree(root)[f"{target}/namespaces/1/revalidate_size"] == "1")
    connect(sim, "v", "pve1", method="DELETE")
    check("gone", not os.path.exists(f"{root}/{target}/namespaces/1"))
    status, said = sim.close()
    check("all is taken away in the end", (status, said) == (0, "") and tree(root) == {}, (said, tree(root)))


for test in (lambda f, _: contents(f), iscsi, nvme):
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as config:
        test(data, config)
done()
