# SPDX-License-Identifier: AGPL-3.0-or-later
"""Configs of guests as Proxmox writes them: every kind of key, section and value that its grammar
has (PVE::QemuServer::parse_vm_config, PVE::LXC::Config::parse_pct_config), also the odd ones."""
SECRET = "hunter2-must-never-leave-the-node"

# Names that a person really gives, and names that try to break out of something.
NAMES = ("web", "db", "mail", "gitlab", "k8s-worker", "win-dc", "proxy", "dns", "build", "erp")
TAGS = ("", "prod", "prod;web", "prod;database;postgresql", "test", "Backup_2;x.y+z", "a;b;c;d;e")
TITLES = ("Büro — Straße 7", "日本語のノート", "it's \"quoted\" & <b>bold</b>", "'; DROP TABLE guests; --",
          "tab\tand: colon %41 100%", "emoji 🚀 and \u202eoverride", "{\"json\": [1, 2]}", "\\backslash\\")


def encode(text):
    """As PVE::PVEUtils::encode_text: what would break a line, and all above ASCII."""
    return "".join(f"%{b:02X}" if b < 32 or b >= 0x7f or b in b":%" else chr(b)
                   for b in text.encode())


def uuid(rng):
    n = f"{rng.getrandbits(128):032x}"
    return f"{n[:8]}-{n[8:12]}-{n[12:16]}-{n[16:20]}-{n[20:]}"


def mac(rng):
    return "BC:24:11:" + ":".join(f"{rng.getrandbits(8):02X}" for _ in range(3))


def qemu(rng, vmid, name, ctime, rich):
    """Options of a new VM, {key: value} in the order of the file."""
    store = rng.choice(("local-lvm", "ceph-vm", "nfs1"))
    volume = f"vm-{vmid}-disk-" if store != "nfs1" else f"{vmid}/vm-{vmid}-disk-"
    end = ".qcow2" if store == "nfs1" else ""
    o = {}
    if rich:
        o["agent"] = rng.choice(("1", "enabled=1,fstrim_cloned_disks=1", "0"))
        o["boot"] = rng.choice(("order=scsi0;ide2;net0", "cdn"))
        if o["boot"] == "cdn":
            o["bootdisk"] = "scsi0"
        o["bios"] = rng.choice(("seabios", "ovmf"))
    o["cores"] = str(rng.choice((1, 2, 4, 8)))
    if rich:
        o["cpu"] = rng.choice(("host", "x86-64-v2-AES", "host,flags=+aes;-pcid", "custom-big"))
        o["efidisk0"] = f"{store}:{volume}9{end},efitype=4m,pre-enrolled-keys=1,size=4M"
        o["hostpci0"] = "0000:01:00.0,pcie=1"
        o["ide2"] = rng.choice(("none,media=cdrom", "local:iso/debian-12.iso,media=cdrom,size=629M",
                                f"{store}:{volume.replace('disk-', 'cloudinit')}{end},media=cdrom"))
        o["ipconfig0"] = f"ip=10.0.{vmid % 250}.{rng.randrange(2, 250)}/24,gw=10.0.{vmid % 250}.1"
        o["ciuser"] = "admin"
        o["cipassword"] = SECRET
        o["sshkeys"] = "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5%20admin%40example"
        o["machine"] = "pc-q35-8.1"
    o["memory"] = rng.choice(("2048", "4096", "8192", "current=2048")) if rich else "2048"
    o["meta"] = f"creation-qemu=8.1.5,ctime={ctime}"
    o["name"] = name
    o["net0"] = f"virtio={mac(rng)},bridge=vmbr0,firewall=1"
    if rich:
        o["net1"] = f"e1000={mac(rng)},bridge=vmbr1,tag={rng.randrange(2, 4000)},trunks=1;2;3,link_down=1"
        o["numa"] = "0"
        o["onboot"] = rng.choice(("1", "0"))
    o["ostype"] = rng.choice(("l26", "win11", "other"))
    o["scsi0"] = f"{store}:{volume}0{end},iothread=1,size={rng.choice((8, 32, 500))}G"
    if rich:
        o["scsi1"] = f"{store}:{volume}1{end},discard=on,backup=0,size=1T"
        o["scsihw"] = "virtio-scsi-single"
        o["smbios1"] = f"uuid={uuid(rng)}"
        o["sockets"] = rng.choice(("1", "2"))
        o["startup"] = "order=1,up=30,down=60"
        o["tags"] = rng.choice(TAGS) or "untagged"
        o["tpmstate0"] = f"{store}:{volume}8{end},size=4M,version=v2.0"
        o["unused0"] = f"{store}:{volume}7{end}"
        o["usb0"] = "host=1234:5678"
        o["vga"] = "virtio"
    o["vmgenid"] = uuid(rng)
    return o


def lxc(rng, vmid, name, rich):
    store = rng.choice(("local-lvm", "local-zfs"))
    o = {"arch": "amd64"}
    if rich:
        o["cores"] = str(rng.choice((1, 2, 4)))
        o["features"] = "nesting=1,keyctl=1"
    o["hostname"] = name
    if rich:
        o["memory"] = str(rng.choice((512, 1024, 8192)))
        o["mp0"] = f"{store}:vm-{vmid}-disk-1,mp=/data,backup=1,size=100G"
        o["mp1"] = "/mnt/storage,mp=/shared,ro=1"
        o["mp2"] = "/dev/sdx1,mp=/raw"
        o["nameserver"] = "8.8.8.8 8.8.4.4"
    o["net0"] = f"name=eth0,bridge=vmbr0,firewall=1,gw=10.0.1.1,hwaddr={mac(rng)}," \
                f"ip=10.0.1.{rng.randrange(2, 250)}/24,type=veth"
    if rich:
        o["onboot"] = "1"
    o["ostype"] = rng.choice(("debian", "ubuntu", "alpine", "unmanaged"))
    if rich:
        o["protection"] = rng.choice(("0", "1"))
    o["rootfs"] = f"{store}:vm-{vmid}-disk-0,size=32G"
    if rich:
        o["searchdomain"] = "example.com"
        o["swap"] = "2048"
        o["tags"] = rng.choice(TAGS) or "untagged"
        o["timezone"] = "America/New_York"
        o["unprivileged"] = "1"
        o["lxc.cgroup2.devices.allow"] = "c 10:200 rwm"
    return o


def text(guest):
    """The file of a guest of cluster.py."""
    lines = [f"#{encode(line)}" for line in guest.title.split("\n") if guest.title]
    lines += section(guest.options)
    if guest.snapshots:
        lines.append(f"parent: {guest.snapshots[-1]['name']}")
    if guest.lock:
        lines.append(f"lock: {guest.lock}")
    if guest.template:
        lines.append("template: 1")
    if guest.pending or guest.removals:
        lines += ["", "[PENDING]" if guest.kind == "qemu" else "[pve:pending]"]
        if guest.removals:
            lines.append("delete: " + ",".join(guest.removals))
        lines += section(guest.pending)
    if guest.kind == "qemu" and "cipassword" in guest.options:
        lines += ["", "[special:cloudinit]", f"cipassword: {SECRET}", "name: before"]
    for snapshot in guest.snapshots:
        lines += ["", f"[{snapshot['name']}]", f"#{encode(snapshot['description'])}"]
        lines += section(snapshot["options"])
        if snapshot["parent"]:
            lines.append(f"parent: {snapshot['parent']}")
        lines.append(f"snaptime: {snapshot['at']}")
        if snapshot["vmstate"]:
            lines.append(f"vmstate: {snapshot['vmstate']}")
    return "\n".join(lines) + "\n"


def section(options):
    return [f"{key}: {value}" for key, value in options.items()]

