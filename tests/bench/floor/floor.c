/* floor: the kernel work of one `run` and nothing else, as the floor of tests/bench.
 *
 *   floor ROOTFS FILTER CGROUP... -- PROGRAM
 *
 * FILTER is a file of struct sock_filter, or "-". A CGROUP is a directory to make and
 * to join, with files to write: /sys/fs/cgroup/memory/x,memory.limit_in_bytes=1048576;
 * a leading "2:" says that it is a cgroup v2 directory.
 *
 * It reads no configuration, checks nothing, keeps no state, and undoes only the
 * cgroups: whatever a runtime takes on top of its time is the runtime's own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CGROUPS 32

struct cgroup {
	char *dir, *files;
	int v2;
};

static struct cgroup cgroups[MAX_CGROUPS];
static int cgroup_count;
static struct sock_filter filter[8192];
static size_t filter_size;

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void must(int result, const char *what)
{
	if (result < 0)
		die(what);
}

static void write_file(const char *dir, const char *name, const char *value)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	must(fd, path);
	must(write(fd, value, strlen(value)), path);
	close(fd);
}

static void make_cgroups(void)
{
	for (int i = 0; i < cgroup_count; i++) {
		must(mkdir(cgroups[i].dir, 0755), cgroups[i].dir);
		for (char *file = cgroups[i].files; file;) {
			char *next = strchr(file, ','), *value = strchr(file, '=');
			if (next)
				*next++ = 0;
			*value++ = 0;
			write_file(cgroups[i].dir, file, value);
			file = next;
		}
	}
}

static void mount_at(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
	mkdir(target, 0755);
	must(mount(source, target, type, flags, data), target);
}

static void devices(void)
{
	static const struct {
		const char *path;
		int minor_number, major_number;
	} nodes[] = {
		{ "dev/null", 3, 1 }, { "dev/zero", 5, 1 }, { "dev/full", 7, 1 },
		{ "dev/random", 8, 1 }, { "dev/urandom", 9, 1 }, { "dev/tty", 0, 5 },
	};
	for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
		must(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major_number, nodes[i].minor_number)), nodes[i].path);
		chmod(nodes[i].path, 0666);
	}
	must(symlink("/proc/self/fd", "dev/fd"), "symlink");
	must(symlink("/proc/self/fd/0", "dev/stdin"), "symlink");
	must(symlink("/proc/self/fd/1", "dev/stdout"), "symlink");
	must(symlink("/proc/self/fd/2", "dev/stderr"), "symlink");
	must(symlink("pts/ptmx", "dev/ptmx"), "symlink");
}

static void mounts(const char *rootfs)
{
	unsigned long plain = MS_NOSUID | MS_NOEXEC | MS_NODEV;
	must(mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL), "slave");
	must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
	must(chdir(rootfs), rootfs);
	mount_at("proc", "proc", "proc", plain, NULL);
	mount_at("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
	mount_at("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	mount_at("sysfs", "sys", "sysfs", plain | MS_RDONLY, NULL);
	mount_at("mqueue", "dev/mqueue", "mqueue", plain, NULL);
	mount_at("shm", "dev/shm", "tmpfs", plain, "mode=1777,size=67108864");
	if (cgroup_count == 1 && cgroups[0].v2) {
		mount_at("cgroup", "sys/fs/cgroup", "cgroup2", plain | MS_RDONLY, NULL);
	} else {
		mount_at("tmpfs", "sys/fs/cgroup", "tmpfs", plain, "mode=755");
		for (int i = 0; i < cgroup_count; i++) {
			/* /sys/fs/cgroup/CONTROLLERS/… */
			char target[256], name[128];
			const char *controllers = cgroups[i].dir + strlen("/sys/fs/cgroup/");
			snprintf(name, sizeof name, "%.*s", (int)strcspn(controllers, "/"), controllers);
			snprintf(target, sizeof target, "sys/fs/cgroup/%s", name);
			mount_at("cgroup", target, "cgroup", plain | MS_RDONLY, strcmp(name, "systemd") ? name : "none,name=systemd");
		}
		must(mount(NULL, "sys/fs/cgroup", NULL, plain | MS_REMOUNT | MS_RDONLY, "mode=755"), "remount");
	}
	devices();
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	must(chdir("/"), "chdir");
}

static void masks(void)
{
	static const char *readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" };
	static const char *masked[] = { "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys",
		"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
		"/sys/firmware", "/sys/devices/virtual/powercap" };
	for (size_t i = 0; i < sizeof readonly / sizeof *readonly; i++) {
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) < 0)
			continue;
		must(mount(NULL, readonly[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL), readonly[i]);
	}
	const char *directory = NULL;
	for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
		struct stat st;
		if (stat(masked[i], &st) < 0)
			continue;
		if (!S_ISDIR(st.st_mode)) {
			must(mount("/dev/null", masked[i], NULL, MS_BIND, NULL), masked[i]);
		} else if (directory) {
			must(mount(directory, masked[i], NULL, MS_BIND, NULL), masked[i]);
		} else {
			must(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, "size=0k"), masked[i]);
			directory = masked[i];
		}
	}
}

static void loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must(fd, "socket");
	must(ioctl(fd, SIOCSIFFLAGS, &request), "lo up");
	close(fd);
}

static void capabilities(void)
{
	const __u32 docker = 0xa80425fb;
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	must(syscall(SYS_capget, &header, data), "capget");
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap > 31 || !(docker & (1u << cap)))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	data[0].effective = data[0].permitted = data[0].permitted & docker;
	data[1].effective = data[1].permitted = 0;
	data[0].inheritable = data[1].inheritable = 0;
	must(syscall(SYS_capset, &header, data), "capset");
}

static void load_filter(void)
{
	if (!filter_size)
		return;
	struct sock_fprog program = { .len = filter_size / sizeof *filter, .filter = filter };
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program), "seccomp");
}

static void inside(const char *rootfs, char **program)
{
	for (int i = 0; i < cgroup_count; i++)
		if (!cgroups[i].v2)
			write_file(cgroups[i].dir, "tasks", "0");
	must(unshare(CLONE_NEWCGROUP), "unshare");
	must(setsid(), "setsid");
	must(sethostname("floor", 5), "hostname");
	loopback();
	mounts(rootfs);
	masks();
	capabilities();
	load_filter();
	char *environment[] = { "PATH=/bin", NULL };
	execve(program[0], program, environment);
	die(program[0]);
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	if (strcmp(argv[2], "-")) {
		int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
		must(fd, argv[2]);
		ssize_t n = read(fd, filter, sizeof filter);
		must(n, argv[2]);
		filter_size = n;
		close(fd);
	}
	int i = 3;
	for (; i < argc && strcmp(argv[i], "--") && cgroup_count < MAX_CGROUPS; i++) {
		struct cgroup *group = &cgroups[cgroup_count++];
		group->v2 = !strncmp(argv[i], "2:", 2);
		group->dir = argv[i] + (group->v2 ? 2 : 0);
		group->files = strchr(group->dir, ',');
		if (group->files)
			*group->files++ = 0;
	}
	make_cgroups();
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
		.exit_signal = SIGCHLD,
	};
	for (int j = 0; j < cgroup_count; j++) {
		if (!cgroups[j].v2)
			continue;
		args.cgroup = open(cgroups[j].dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		args.flags |= CLONE_INTO_CGROUP;
	}
	pid_t pid = syscall(SYS_clone3, &args, sizeof args);
	must(pid, "clone3");
	if (pid == 0)
		inside(argv[1], argv + i + 1);
	int status = 0;
	must(waitpid(pid, &status, 0), "wait");
	for (int j = 0; j < cgroup_count; j++)
		must(rmdir(cgroups[j].dir), cgroups[j].dir);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
