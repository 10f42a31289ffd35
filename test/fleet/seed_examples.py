# SPDX-License-Identifier: AGPL-3.0-or-later
"""The four examples of the NannyAgent's guide for Proxmox, word for word: what they said to people has
to work against a hub. Only the address and the token are another's, and "...full config..." is one."""

EXAMPLES = {
    "cluster": r"""curl -X POST https://api.nannyai.dev/api/proxmox/cluster \
  -H "Authorization: Bearer <token>" \
  -H "Content-Type: application/json" \
  -d '{
    "cluster_name": "production-cluster",
    "cluster_id": "cluster",
    "nodes": 3,
    "quorate": 1,
    "version": 7
  }'""",
    "node": r"""curl -X POST https://api.nannyai.dev/api/proxmox/node \
  -H "Authorization: Bearer <token>" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "pve-node-01",
    "node_id": 1,
    "ip": "10.0.1.10",
    "online": 1,
    "local": 1,
    "level": "",
    "pve_version": "pve-manager/7.4-3/9002ab8a"
  }'""",
    "lxc": r"""curl -X POST https://api.nannyai.dev/api/proxmox/lxc \
  -H "Authorization: Bearer <token>" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "web-prod-01",
    "lxc_id": "lxc/100",
    "status": "running",
    "uptime": 86400,
    "vmid": 100,
    "node": "pve-node-01",
    "cpu_cores": 4,
    "memory_mb": 8192,
    "rootfs": "local-lvm:vm-100-disk-0,size=32G",
    "swap_mb": 2048,
    "net0": "name=eth0,bridge=vmbr0,firewall=1,gw=10.0.1.1,hwaddr=BC:24:11:12:34:56,ip=10.0.1.100/24,type=veth",
    "ostype": "ubuntu",
    "arch": "amd64",
    "hostname": "web-prod-01",
    "searchdomain": "example.com",
    "nameserver": "8.8.8.8 8.8.4.4",
    "features": "nesting=1,keyctl=1",
    "unprivileged": true,
    "protection": false,
    "tags": "production,web,nginx",
    "timezone": "America/New_York",
    "config": {
      ...full config...
    }
  }'""",
    "qemu": r"""curl -X POST https://api.nannyai.dev/api/proxmox/qemu \
  -H "Authorization: Bearer <token>" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "db-prod-01",
    "qemu_id": "qemu/200",
    "status": "running",
    "uptime": 172800,
    "vmid": 200,
    "node": "pve-node-01",
    "cpu_cores": 8,
    "memory_mb": 32768,
    "config": {
      "agent": "enabled=1,fstrim_cloned_disks=1",
      "boot": "order=scsi0;ide2;net0",
      "bootdisk": "scsi0",
      "cores": 8,
      "cpu": "host",
      "machine": "pc-i440fx-7.2",
      "ostype": "l26",
      "sockets": 2,
      "scsi0": "local-lvm:vm-200-disk-0,iothread=1,size=500G",
      "net0": "virtio=BC:24:11:AB:CD:EF,bridge=vmbr0,firewall=1",
      "tags": "production,database,postgresql"
    }
  }'""",
}
