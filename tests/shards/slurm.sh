#!/bin/sh
# Runs Slurm on this machine alone, as root, all of it in one folder:  sh slurm.sh start|stop FOLDER
# Needs Debian's slurm-wlm (apt-get install slurm-wlm). Commands find it by SLURM_CONF=FOLDER/slurm.conf.
set -e
folder=$(realpath "$2")
export SLURM_CONF="$folder/slurm.conf"
socket="$folder/munge.socket"
case "$1" in
start)
    mkdir -p "$folder/state" "$folder/spool"
    chmod 755 "$folder"
    dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 2>/dev/null
    chmod 400 "$folder/munge.key"
    chown root: "$folder/munge.key"
    name=$(hostname -s)
    cat > "$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$name(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=26817
SlurmdPort=26818
AuthType=auth/munge
AuthInfo=socket=$socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=batch_sched_delay=1,sched_interval=2
KillWait=2
RequeueExit=137
NodeName=$name NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
    munged --force --socket="$socket" --key-file="$folder/munge.key" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munged.seed"
    slurmctld
    slurmd -N "$name"
    for _ in $(seq 60); do
        sinfo --noheader --states=idle --format=%T 2>/dev/null | grep -q idle && exit 0
        sleep 1
    done
    tail -n 5 "$folder"/*.log >&2
    exit 1
    ;;
stop)
    for daemon in slurmctld slurmd munged; do
        if [ -f "$folder/$daemon.pid" ]; then kill "$(cat "$folder/$daemon.pid")" || true; fi
    done
    ;;
esac
