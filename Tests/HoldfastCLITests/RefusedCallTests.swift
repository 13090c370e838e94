import HoldfastModel
import HoldfastTestSupport
import Testing

/// What a kernel, a filter or a file system refuses is done in another way, or said: by the real program under a real
/// filter of the kernel's.
@Suite(.requires(.systemCallFilter)) struct RefusedCallTests {
  private let tool = Tool()
  private static let copied = ": made as a copy, not as another name of a: Operation not permitted\n"

  /// What is refused, and what is then said besides nothing.
  struct Case: Sendable, CustomTestStringConvertible {
    let calls: String
    /// What a restore says, and its status.
    let restore: String
    let status: Int32
    /// Whether `init` says once that nothing keeps two machines apart.
    let isWeaker: Bool
    var testDescription: String { calls }

    init(_ calls: String, restore: String = "", status: Int32 = 0, isWeaker: Bool = false) {
      (self.calls, self.restore, self.status, self.isWeaker) = (calls, restore, status, isWeaker)
    }
  }

  private static let weakness =
    "the file system of DIR/repository can neither rename without replacing nor make hard links: of two machines that commit at the same moment one may replace what the other has just committed; let only one write there"
  private static let links = "holdfast: INCOMPLETE: d/b\(copied)holdfast: INCOMPLETE: d/c\(copied)"

  /// Calls that programs of this kind make.
  private static let notMade = [
    "copy_file_range", "memfd_create", "pidfd_open", "pidfd_send_signal", "eventfd2", "timerfd_create", "epoll_create1",
    "epoll_ctl", "epoll_wait", "epoll_pwait", "inotify_init1", "io_uring_setup", "fdatasync",
  ]

  /// One call at a time, as different kernels, filters and file systems refuse it.
  private static let each = [
    // Filters that are older than the call, RestrictSUIDSGID=yes of systemd.
    Case("openat2=ENOSYS"), Case("openat2=EPERM"), Case("openat2=EACCES"),
    // NFS, 9p, older ZFS, FUSE; and without hard links.
    Case("renameat2:flags=EINVAL"), Case("renameat2:flags=ENOSYS"), Case("renameat2:flags=EPERM"),
    Case("syncfs=ENOSYS"), Case("syncfs=EPERM"), Case("fallocate=EOPNOTSUPP"), Case("fallocate=EPERM"),
    Case("openat:O_TMPFILE=EOPNOTSUPP"), Case("openat:O_TMPFILE=EISDIR"), Case("openat:O_NOATIME=EPERM"),
    Case("preadv2=ENOSYS"), Case("preadv2=EPERM,mincore=EPERM"), Case("preadv2=EOPNOTSUPP,fadvise64=EPERM"),
    Case("lseek:SEEK_DATA=EINVAL"), Case("fstatfs=ENOSYS"), Case("getrandom=ENOSYS"),
    Case("prctl=EPERM,prlimit64=EPERM,madvise=EINVAL,rseq=ENOSYS,sched_getaffinity=EPERM"), Case("clone3=ENOSYS"),
    Case("statx=ENOSYS,fchmodat2=ENOSYS,close_range=ENOSYS"), Case("statx=EPERM,fchmodat2=EPERM,close_range=EPERM"),
    Case(notMade.map { $0 + "=ENOSYS" }.joined(separator: ",")),
    // Kernels before 5.8.
    Case("utimensat:AT_EMPTY_PATH=EINVAL"),
  ]

  /// The same refusals, several at a time: each of `each` is in one of these, and each call once in one of them.
  private static let together: [Case] = {
    var groups: [[String]] = []
    for refused in each.map(\.calls) {
      let names = callNames(refused)
      let fits = groups.firstIndex { $0.allSatisfy { callNames($0).isDisjoint(with: names) } }
      if let fits { groups[fits].append(refused) } else { groups.append([refused]) }
    }
    return groups.map { Case($0.joined(separator: ",")) }
  }()

  /// The names of the calls of a list such as `openat:O_TMPFILE=EISDIR,syncfs=EPERM`.
  private static func callNames(_ calls: String) -> Set<Substring> {
    Set(calls.split(separator: ",").map { $0.prefix { $0 != "=" } })
  }

  private static let cases =
    (Trials.areAll ? each : together) + [
      Case("linkat=EPERM", restore: links, status: 3),
      Case("openat2=ENOSYS,renameat2:flags=EINVAL,linkat=EPERM", restore: links, status: 3, isWeaker: true),
    ]

  /// A small shop, with all that takes a way of its own.
  private func makeSource() throws {
    let source = tool.source
    for name in ["d", "d/e"] { TestFiles.makeDirectory(source.appending(name)) }
    TestFiles.write("an order", to: source.appending("a"))
    for name in ["d/b", "d/c"] { TestFiles.link(source.appending("a"), as: source.appending(name)) }
    TestFiles.symbolicLink("a", at: source.appending("l"))
    TestFiles.makeFifo(source.appending("f"))
    TestFiles.write([UInt8](repeating: 3, count: 20_000), to: source.appending("sparse"))
    TestFiles.truncate(source.appending("sparse"), to: 1 << 20)
    TestFiles.setExtendedAttribute(source.appending("a"), "user.note", [1])
    _ = try TestDatabase(source.appending("db"), "CREATE TABLE orders(id); INSERT INTO orders VALUES (1)")
  }

  /// Each command by itself, its status after what it says.
  private static let script = #"""
    run() { "$HOLDFAST" "$@" --quiet 2>>said; echo "$? $1" >>said; }
    run init --unsealed
    run backup source --name s
    echo changed >>source/d/e/new; ln -sf d source/l
    run backup source --name s
    run verify --data
    run restore --target out
    rm out/l out/d/b out/f; echo 3 >out/l; echo zz >>out/sparse; dd if=/dev/zero of=out/db bs=1 count=9 conv=notrunc status=none
    run restore --target out --delta
    run merge --name s
    run prune --keep-last 1
    run backup --from-command 'echo x' --name c --before true
    """#

  @Test(arguments: cases) func everythingIsDoneAllTheSame(refused: Case) throws {
    try makeSource()
    let command = ["env", "HOLDFAST=" + Tool.binary.text, "sh", "-c", Self.script]
    let result = Refusal.run(refused.calls, command, with: tool)
    #expect(result.exitStatus == 0 && result.error == "", "\(result.error)")
    let said = String(decoding: TestFiles.read(tool.directory.appending("said")) ?? [], as: UTF8.self)
    let restore = "\(refused.restore)\(refused.status) restore\n"
    let made = refused.isWeaker ? "holdfast: WARNING: \(Self.weakness)\n" : ""
    #expect(
      tool.plain(said)
        == "\(made)0 init\n0 backup\n0 backup\n0 verify\n\(restore)\(restore)0 merge\n0 prune\n0 backup\n")
    var expected = TreeDescription(of: tool.source).nodes
    if refused.status != 0 { for name in ["d/b", "d/c"] { expected[name]?.sameAs = nil } }
    let found = TreeDescription(of: tool.directory.appending("out")).nodes
    #expect(found.keys.sorted() == expected.keys.sorted())
    for (name, node) in expected { #expect(found[name] == node, "\(name)") }
  }

  @Test func whereNothingKeepsTwoMachinesApartItIsSaidOnce() throws {
    TestFiles.write("an order", to: tool.source.appending("a"))
    let calls = "renameat2:flags=EINVAL,linkat=EPERM"
    let made = Refusal.run(calls, [Tool.binary.text, "init", "--unsealed", "--quiet"], with: tool)
    #expect(made.exitStatus == 0)
    #expect(
      tool.plain(made.error)
        == "holdfast: WARNING: \(Self.weakness)\n"
    )
    let taken = Refusal.run(calls, [Tool.binary.text, "backup", "source", "--quiet"], with: tool)
    #expect(taken.exitStatus == 0 && taken.error == "")
  }

  @Test func whereThereAreNoLocksThereIsNoRepository() throws {
    let made = Refusal.run("flock=ENOLCK", [Tool.binary.text, "init", "--unsealed"], with: tool)
    #expect(made.exitStatus == 1)
    let message = tool.plain(made.error).replacing(/unfinished-LONGID/, with: "FILE")
    #expect(
      message == """
        holdfast: cannot lock DIR/repository/.FILE: No locks available
        HINT: A lock keeps two runs from writing at the same time, and this file system has none: on NFS start the lock service (rpc.statd), or mount it with local_lock=flock where only this machine uses it.

        """)
    #expect(TestFiles.allFiles(in: tool.repository) == [])
  }

  /// Attributes that a file system cannot keep are named; the rest of the restore goes on.
  @Test(
    .requires(.root),
    arguments: [
      ("symlinkat=EPERM", "l: make symbolic link: Operation not permitted"),
      ("mknodat=EPERM", "f: make fifo: Operation not permitted"),
      ("fchown=EPERM,fchownat=EPERM", "a: set the owner of: Operation not permitted"),
      ("utimensat=EPERM", "a: set the times of: Operation not permitted"),
      ("fsetxattr=EOPNOTSUPP", "a: set an extended attribute of: Operation not supported"),
    ])
  func whatCannotBeBroughtBackIsNamed(calls: String, line: String) throws {
    try makeSource()
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    let command = [Tool.binary.text, "restore", "--target", "out", "--quiet"]
    let result = Refusal.run(calls, command, with: tool)
    #expect(result.exitStatus == 3)
    #expect(result.error.contains("holdfast: INCOMPLETE: \(line)\n"), "\(result.error)")
    #expect(TestFiles.read(tool.directory.appending("out/a")) == Array("an order".utf8))
    #expect(TestFiles.read(tool.directory.appending("out/d/b")) == Array("an order".utf8))
  }

  /// The same file system at two places: device numbers do not tell.
  @Test(.requires(.mounts)) func aMountIsLeftAloneAlsoWhereTheKernelDoesNotNameIt() throws {
    for name in ["a", "b", "c"] { TestFiles.write("an order", to: tool.source.appending(name)) }
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    let (out, other) = (tool.directory.appending("out"), tool.directory.appending("other"))
    TestFiles.copyTree(tool.source, to: out)
    for directory in [out.appending("shared"), other] { TestFiles.makeDirectory(directory) }
    TestFiles.write("precious", to: other.appending("file"))
    let disk = try SmallDisk(showing: other, at: out.appending("shared"))
    let command = [Tool.binary.text, "restore", "--target", "out", "--delta", "--yes", "--quiet"]
    let result = Refusal.run("statx=ENOSYS", command, with: tool)
    #expect(result.exitStatus == 0)
    #expect(
      tool.plain(result.error)
        == "holdfast: WARNING: DIR/out/shared is mounted there and not in the snapshot: it is left as it is (--across-mounts removes what is in it)\n"
    )
    #expect(TestFiles.read(other.appending("file")) == Array("precious".utf8))
    withExtendedLifetime(disk) {}
  }

  @Test func attributesThatCannotBeReadAreNamed() throws {
    try makeSource()
    tool.run("init", "--unsealed")
    let command = [Tool.binary.text, "backup", "source", "--quiet"]
    let result = Refusal.run("flistxattr=EPERM", command, with: tool)
    #expect(result.exitStatus == 3)
    #expect(
      tool.plain(result.error).contains(
        "holdfast: INCOMPLETE: a: cannot read the extended attributes of DIR/source/a: Operation not permitted\n"))
  }

  /// An attribute that is lost in silence once is lost in all snapshots that build on it.
  @Test(arguments: ["flistxattr=EPERM", "flistxattr=ENOSYS,llistxattr=ENOSYS,listxattr=ENOSYS"])
  func attributesThatCouldNotBeReadAreReadTheNextTime(calls: String) throws {
    try makeSource()
    tool.run("init", "--unsealed")
    let backup = [Tool.binary.text, "backup", "source", "--quiet"]
    // What was written within 50 ms before a backup is looked at by the next one in any case.
    tool.other("sleep", "0.06")
    let taken = Refusal.run(calls, backup, with: tool)
    #expect(taken.exitStatus == 3)
    let named = "holdfast: INCOMPLETE: .: cannot read the extended attributes of DIR/source: "
    if calls.contains("ENOSYS") {
      #expect(
        tool.plain(taken.error) == named + "Function not implemented: no extended attribute of anything is captured\n")
    } else {
      #expect(tool.plain(taken.error).hasPrefix(named + "Operation not permitted\n"))
    }
    #expect(tool.run("backup", "source", "--quiet").exitStatus == 0)
    tool.run("restore", "--target", "out")
    let found = TreeDescription(of: tool.directory.appending("out"))
    #expect(found.differences(from: TreeDescription(of: tool.source)) == [])
    #expect(tool.run("backup", "source").output.contains("  0 added, 0 changed, 0 removed;"))
  }

  /// What is there already cannot be told, and so not removed; what the snapshot has is set.
  @Test func aRestoreThatSeesNoAttributesSaysSoOnce() throws {
    try makeSource()
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    for options in [[], ["--delta"]] {
      let command = [Tool.binary.text, "restore", "--target", "out", "--quiet"] + options
      let result = Refusal.run("flistxattr=ENOSYS,listxattr=ENOSYS", command, with: tool)
      #expect(result.exitStatus == 3)
      #expect(
        result.error.matches(of: /INCOMPLETE: .*: read the extended attributes of: Function not implemented\n/).count
          == 1)
      #expect(result.error.split(separator: "\n").count == 1, "\(result.error)")
    }
    let found = TreeDescription(of: tool.directory.appending("out"))
    #expect(found.differences(from: TreeDescription(of: tool.source)) == [])
  }

  @Test func whereNothingCanBeMadeDurableNothingIsDone() {
    let command = [Tool.binary.text, "init", "--unsealed"]
    let result = Refusal.run("fsync=EPERM", command, with: tool)
    #expect(result.exitStatus == 1)
    #expect(result.error.contains("cannot synchronize "), "\(result.error)")
    #expect(TestFiles.allFiles(in: tool.repository) == [])
  }

  /// The library that sends what is told can do nothing then.
  @Test func whereThereIsNoNetworkABackupIsTakenAllTheSame() {
    TestFiles.write("an order", to: tool.source.appending("a"))
    tool.run("init", "--unsealed")
    let command = [
      "env", "HOLDFAST_PING_URL=http://127.0.0.1:1/ping", Tool.binary.text, "backup", "source", "--quiet",
    ]
    let result = Refusal.run("socket=EPERM,socketpair=EPERM,eventfd2=EPERM", command, with: tool)
    #expect(result.exitStatus == 0)
    #expect(result.error.contains("WARNING: "), "\(result.error)")
    #expect(tool.run("list").output.contains("source"))
  }

  /// The attributes `trusted.*` too, which the kernel hides from who lacks a capability; a set-group-ID that it takes
  /// away in silence.
  @Test(.requires(.root)) func whatTheUnitLeavesIsEnoughForABackup() throws {
    try makeSource()
    TestFiles.setExtendedAttribute(tool.source.appending("d"), "trusted.note", [1, 2])
    TestFiles.write("another's", to: tool.source.appending("private"))
    TestFiles.setOwner(tool.source.appending("private"), userID: 1234, groupID: 1234)
    TestFiles.setMode(tool.source.appending("private"), 0o600)
    let unit = tool.run(
      "schedule", "install", "--root", "root", "--dry-run", "--", "backup", tool.source.text, "-r", tool.repository.text
    )
    let bounding = try #require(unit.output.firstMatch(of: /CapabilityBoundingSet=(.*)/)?.1)
    let kept = bounding.split(separator: " ").map { "+" + $0.dropFirst("CAP_".count).lowercased() }
    #expect(!unit.output.contains("RestrictSUIDSGID"), "with it systemd refuses openat2")
    tool.run("init", "--unsealed")
    let taken = tool.other(
      "setpriv", "--no-new-privs", "--bounding-set", (["-all"] + kept).joined(separator: ","), Tool.binary.text,
      "backup", "source", "--quiet")
    #expect(taken.exitStatus == 0 && taken.error == "", "\(taken.error)")
    tool.run("restore", "--target", "out")
    let found = TreeDescription(of: tool.directory.appending("out"))
    #expect(found.differences(from: TreeDescription(of: tool.source)) == [])
  }
}
