# The state of this machine as one line of JSON, for servers without Python 3.8: the record of
# sensor.py, by sh and awk from /proc and nvidia-smi. $1: a folder on the disk to look at.

mib=1048576
gpu_fields=index,name,uuid,memory.total,memory.used,memory.free,utilization.gpu,temperature.gpu,power.draw

ask() {  # a program that hangs must not hold up the rest
    if command -v timeout >/dev/null; then timeout -k 1 5 "$@"; else "$@"; fi </dev/null 2>/dev/null
}

smi() {
    ask nvidia-smi "$@" --format=csv,noheader,nounits
    code=$?
    case $code in
        0 | 127) ;;
        124 | 137) echo "problem nvidia-smi does not answer within 5 s" ;;
        *) echo "problem nvidia-smi ended with exit code $code" ;;
    esac
    return "$code"
}

disk() {  # of a folder that need not exist yet
    folder=${1:-/}
    while [ ! -e "$folder" ] && [ "$folder" != "$(dirname "$folder")" ]; do
        folder=$(dirname "$folder")
    done
    ask df -Pk "$folder" | sed '1d; s/^/disk /'
}

gpus() {  # where one hides the others, each is asked for by its bus
    rows=$(smi "--query-gpu=$gpu_fields")
    found=$(printf '%s\n' "$rows" | grep -c '^[0-9]')
    set -- /proc/driver/nvidia/gpus/*
    printf '%s\n' "$rows"
    [ -e "$1" ] && [ "$found" -lt $# ] || return 0
    command -v nvidia-smi >/dev/null \
        || { echo "problem $# GPUs cannot be asked, by nvidia-smi"; return; }
    for bus; do smi "--query-gpu=$gpu_fields" "--id=${bus##*/}"; done
}

whose() {  # owner, start and program of process $1
    owner=$(ls -ld "/proc/$1" | awk '{print $3}')
    ticks=$(sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 20)
    program=$(cat "/proc/$1/comm")
    if [ ${#program} -ge 15 ]; then  # there the kernel cuts it
        full=$(tr '\0' '\n' <"/proc/$1/cmdline" | head -n 1)
        case ${full##*/} in "$program"*) program=${full##*/} ;; esac
    fi
    printf 'whose %s %s %s\n' "${owner:--}" "${ticks:--}" "$program"
} 2>/dev/null

apps() {
    rows=$(smi --query-compute-apps=gpu_uuid,pid,used_memory) || return
    echo "apps"
    printf '%s\n' "$rows" | while IFS=', ' read -r uuid pid memory; do
        [ -z "$uuid" ] || { echo "app $uuid $pid $memory"; whose "$pid"; }
    done
}

people() {
    rows=$(ask who) && { echo "people"; printf '%s\n' "$rows" | sort | sed 's/^/who /'; }
}

{
    echo "time $(date +%s)"
    echo "hostname $(uname -n)"
    echo "cores $(getconf _NPROCESSORS_ONLN || grep -c ^processor /proc/cpuinfo)"
    echo "ticks $(getconf CLK_TCK || echo 100)"
    sed -n 's/^btime /booted /p' /proc/stat
    sed 's/^/uptime /' /proc/uptime
    sed 's/^/load /' /proc/loadavg
    sed -n 's/^MemTotal:/total /p; s/^MemAvailable:/available /p' /proc/meminfo
    [ "$(readlink /proc/self/ns/pid)" = 'pid:[4026531836]' ] || echo "container"
    disk "$1"
    people
    gpus | sed '/^[0-9]/s/^/gpu /; /^\(gpu\|problem\) /!s/^./problem nvidia-smi: &/'
    apps
} 2>/dev/null | tr -d '\000-\011\013-\037\177"\\' | awk -v mib=$mib '
function number(word, scale, digits) {
    return word ~ /^[0-9]+(\.[0-9]+)?$/ ? sprintf("%." digits "f", word * scale) : "null"
}
function text(word) {
    return word == "" || word == "-" || word == "N/A" || word ~ /^\[/ ? "null" : "\"" word "\""
}
function rest(n) {  # the line without its first n words
    line = $0
    for (; n; n--) sub(/^[^ ]+ */, "", line)
    return line
}
function add_problem(words) {
    if (!(words in told)) problems = problems (problems == "" ? "" : ", ") text(words)
    told[words]
}
function known(word) { return word == "" ? "null" : word }
$1 == "time" { time = number($2, 1, 0) }
$1 == "hostname" { hostname = $2 }
$1 == "cores" { cores = number($2, 1, 0) }
$1 == "ticks" { ticks = $2 }
$1 == "booted" { booted = $2 }
$1 == "uptime" { uptime = number($2, 1, 2) }
$1 == "load" { for (i = 2; i < 5; i++) loads[i] = number($i, 1, 2) }
$1 == "total" { total = number($2, 1024, 0) }
$1 == "available" { available = number($2, 1024, 0) }
$1 == "container" { container = 1 }
$1 == "disk" {
    for (i = 4; $i !~ /^([0-9]+%|-)$/ && i < NF; i++);  # the names about it may hold blanks
    disk_total = number($(i - 3), 1024, 0); disk_free = number($(i - 1), 1024, 0)
}
$1 == "people" { people = 1 }
$1 == "who" && NF > 1 && !($2 in seen) {
    seen[$2]; logged_in = logged_in (logged_in == "" ? "" : ", ") text($2)
}
$1 == "problem" { add_problem(rest(1)) }
$1 == "gpu" {
    n = split(rest(1), field, /, */)
    if (n != 9) { add_problem("nvidia-smi: " rest(1)); next }
    for (i = 1; i <= n; i++) if (tolower(field[i]) ~ /error|reset|lost/) {
        word = field[i]; gsub(/[][]/, "", word); add_problem("GPU " field[1] ": " word)
    }
    if (field[1] in shown) next
    shown[field[1]]; order[++n_gpus] = field[3]; index_of[field[3]] = field[1]
    gpu[n_gpus] = "\"index\": " field[1] ", \"name\": " text(field[2]) \
        ", \"uuid\": " text(field[3]) ", \"memory_total_bytes\": " number(field[4], mib, 0) \
        ", \"memory_used_bytes\": " number(field[5], mib, 0) \
        ", \"memory_free_bytes\": " number(field[6], mib, 0) \
        ", \"utilisation\": " number(field[7], 0.01, 2) \
        ", \"temperature_c\": " number(field[8], 1, 0) ", \"power_w\": " number(field[9], 1, 2)
    where[field[3]] = n_gpus
}
$1 == "apps" { apps = 1 }
$1 == "app" {
    uuid = $2
    if (!(uuid in where)) lost_all = 1
    else if ($3 !~ /^[0-9]+$/) lost[uuid]
    process = "\"pid\": " $3 ", \"memory_bytes\": " number($4, mib, 0)
}
$1 == "whose" {
    if ($2 == "-") hidden[uuid]
    started = $3 ~ /^[0-9]+$/ && booted ? sprintf("%.0f", booted + $3 / ticks) : "null"
    processes[uuid] = processes[uuid] (processes[uuid] == "" ? "" : ", ") "{" process \
        ", \"owner\": " text($2) ", \"started\": " started ", \"command\": " text(rest(3)) "}"
}
END {
    for (i = 1; i <= n_gpus; i++) {
        uuid = order[i]
        unseen = container && (uuid in hidden)
        if (unseen) add_problem("GPU " index_of[uuid] ": its processes cannot be seen from a container")
        is_lost = !apps || lost_all || (uuid in lost) || unseen || text(uuid) == "null"
        gpus = gpus (i > 1 ? ", " : "") "{" gpu[i] ", \"processes\": " \
            (is_lost ? "null" : "[" processes[uuid] "]") "}"
    }
    used = total == "" || available == "" ? "null" : sprintf("%.0f", total - available)
    printf "{\"time\": %s, \"hostname\": %s", time, text(hostname)
    printf ", \"uptime_s\": %s, \"cores\": %s", known(uptime), known(cores)
    printf ", \"load_1m\": %s, \"load_5m\": %s", known(loads[2]), known(loads[3])
    printf ", \"load_15m\": %s, \"memory_total_bytes\": %s", known(loads[4]), known(total)
    printf ", \"memory_available_bytes\": %s, \"memory_used_bytes\": %s", known(available), used
    printf ", \"disk_total_bytes\": %s", known(disk_total)
    printf ", \"disk_free_bytes\": %s", known(disk_free)
    printf ", \"logged_in\": %s", people ? "[" logged_in "]" : "null"
    printf ", \"gpus\": [%s], \"problems\": [%s]}\n", gpus, problems
}'
