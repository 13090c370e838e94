import HoldfastModel
import HoldfastTestSupport
import Testing

/// What is typed wrongly is told at once, with the usage and exit status 2; every help says what the exit statuses
/// mean.
@Suite struct UsageTests {
  private static let exitStatusTable = """
    EXIT STATUS:
      0    done, and durable
      1    failed; nothing was committed, or what was asked could not be done
      2    the command line is wrong
      3    done, but incomplete (files are named), or the source looks damaged
      10   there is no repository at that place
      11   another run holds the lock
      12   wrong key
      13   another host serves the source
      14   no failover: the service answers, or its host is alive
      15   this host is to serve, and it is not known if it does; run it again
      20   damage that costs no snapshot any data
      21   damage that costs data
      22   a drill failed: what was restored is not what it should be
      30   an objective is missed, a source is CRITICAL, or `check` found a failure
      126  `wal fetch` failed: anything but a file that the archive does not have
      130  interrupted by a signal before it was done; run the same command again

    """

  @Test(arguments: [
    [], ["init"], ["backup"], ["list"], ["show"], ["diff"], ["restore"], ["cat"], ["verify"], ["merge"], ["status"],
    ["wal"], ["config"], ["run"], ["completions"], ["schedule"],
  ])
  func everyHelpHasTheTableOfExitStatuses(command: [String]) {
    let tool = Tool()
    let result = RunningProcess(tool.start(command + ["--help"])).wait()
    #expect(result.exitStatus == 0)
    #expect(result.output.contains(Self.exitStatusTable), "\(result.output)")
    #expect(result.output.contains("USAGE: holdfast " + command.joined()))
    #expect(result.error == "")
  }

  @Test(arguments: [
    (["--version"], ["zlib", "ISA-L", "zstd"]),
    (["--version", "--verbose"], ["zlib", "ISA-L", "zstd", "libpq", "libsqlite3", "libcurl", "libexpat"]),
  ])
  func theVersionIsThatOfTheProgramOfTheFormatAndOfTheLibraries(_ arguments: [String], _ libraries: [String]) {
    let tool = Tool()
    let result = RunningProcess(tool.start(arguments)).wait()
    #expect(result.exitStatus == 0)
    #expect(result.error == "")
    let lines = result.output.split(separator: "\n")
    #expect(lines.prefix(2) == ["\(Program.nameAndVersion)", "format 1"])
    #expect(lines.dropFirst(2).map { $0.split(separator: " ").first.map(String.init) } == libraries)
    for line in lines.dropFirst(2) { #expect(line.wholeMatch(of: /[\w-]+ \d+(\.\d+)+/) != nil, "\(line)") }
  }

  struct Wrong: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    let message: String
    var testDescription: String { arguments.joined(separator: " ") }
    init(_ arguments: String..., says message: String) { (self.arguments, self.message) = (arguments, message) }
  }

  @Test(arguments: [
    Wrong("--frobnicate", says: "holdfast: unknown option '--frobnicate'"),
    Wrong("backup", "source", "--frobnicate", says: "holdfast: unknown option '--frobnicate'"),
    Wrong("backup", "source", "-r", says: "holdfast: missing value for '-r <dir>'"),
    Wrong("backup", "source", "other", says: "holdfast: unexpected argument 'other'"),
    Wrong(
      "backup", "source", "--full", "--incremental",
      says: "holdfast: --full, --differential and --incremental exclude each other"),
    Wrong(
      "backup", "source", "--compression", "lz4", says: "holdfast: the value 'lz4' is invalid for '--compression <how>'"
    ),
    Wrong("backup", "source", "--compression", "zstd:20", says: "none, deflate, deflate:1-9 or zstd:1-19."),
    Wrong("backup", "source", "--name", "a/b", says: "holdfast: the value 'a/b' is invalid for '--name <name>'"),
    Wrong(
      "backup", "source", "--from-command", "true", "--name", "a",
      says: "holdfast: --from-command takes the place of the source directory"),
    Wrong("backup", "--from-command", "true", says: "holdfast: --from-command needs --name"),
    Wrong("backup", "--from-command", "", "--name", "a", says: "holdfast: the command of --from-command is empty"),
    Wrong("backup", "source", "--file-name", "a", says: "holdfast: --file-name is for --from-command"),
    Wrong(
      "backup", "--from-command", "true", "--name", "a", "--file-name", "a/b",
      says: "holdfast: --file-name a/b is not the name of a file"),
    Wrong(
      "backup", "--from-command", "true", "--name", "a", "--paranoid",
      says: "holdfast: --exclude, --paranoid and --no-group are for directories, not for --from-command"),
    Wrong("backup", "source", "--parity", "1%", says: "holdfast: the value '1%' is invalid for '--parity <n%>'"),
    Wrong("merge", "--parity", "all", says: "holdfast: the value 'all' is invalid for '--parity <n%>'"),
    Wrong(
      "backup", "source", "--limit-rate", "20MB",
      says: "holdfast: the value '20MB' is invalid for '--limit-rate <rate>'"),
    Wrong("diff", "latest", says: "holdfast: missing expected argument '<newer>'"),
    Wrong("cat", "latest", says: "holdfast: missing expected argument '<path>'"),
    Wrong("merge", "latest", "other", says: "holdfast: unexpected argument 'other'"),
    Wrong("merge", "--compression", "lz4", says: "none, deflate, deflate:1-9 or zstd:1-19."),
    Wrong("restore", says: "holdfast: missing expected argument '--target <dir>'"),
    Wrong(
      "restore", "--target", "new", "--at", "yesterday",
      says: "holdfast: --at yesterday is not a time such as 2026-11-22T14:05, 2026-11-22T14:05:03+01:00 or 2026-11-22"),
    Wrong("verify", "--sample", "0%", says: "holdfast: the value '0%' is invalid for '--sample <n%>'"),
    Wrong("verify", "--sample", "101", says: "holdfast: the value '101' is invalid for '--sample <n%>'"),
    Wrong("verify", "--sample", "half", says: "Read and verify a random share of the frames, such as 5%."),
  ])
  func whatIsTypedWronglyIsToldWithTheUsage(wrong: Wrong) {
    let tool = Tool()
    let result = RunningProcess(tool.start(wrong.arguments)).wait()
    #expect(result.exitStatus == 2)
    #expect(result.output == "")
    #expect(result.error.contains(wrong.message), "\(result.error)")
    #expect(result.error.contains("\nUsage: holdfast "), "\(result.error)")
    #expect(result.error.hasSuffix(" --help` for all options and examples.\n"), "\(result.error)")
  }
}
