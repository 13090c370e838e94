internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

/// Looks whether the scheduler of an installed schedule runs. A file in /etc/cron.d starts nothing by itself.
struct RunningScheduler {
  /// The names of the processes that read /etc/cron.d: of Debian and SUSE, of Red Hat.
  private static let cronNames: Set = ["cron", "crond"]
  /// The kernel cuts names off at 15 bytes.
  private static let nameBytesMax = 64

  private let isCron: Bool
  private let root: Path
  private let files: FileSystem

  /// - Parameter root: the root directory of an image; `nil` for this machine.
  init(_ kind: SchedulerDirectory.Kind, root: Path?, files: FileSystem) {
    (isCron, self.root, self.files) = (kind == .cron, root ?? Path("/"), files)
  }

  var name: String { isCron ? "cron" : "systemd" }

  /// The verdict if it does not run. What systemd-cron makes of /etc/cron.d needs no process of cron.
  var absence: TrialVerdict { isCron ? .warning : .failed }

  var hint: String {
    isCron
      ? "Install and start it: `apt-get install cron`, `systemctl enable --now cron`."
      : "Run `holdfast schedule install --cron` where there is no systemd, or start systemd."
  }

  /// `nil` if this user cannot see it.
  var isRunning: Bool? { isCron ? isCronRunning : isSystemdRunning }

  private var isSystemdRunning: Bool? {
    do {
      // sd_booted(3) looks for the same directory.
      return try files.statusIfPresent(of: root.appending("run/systemd/system")) != nil
    } catch {
      return nil
    }
  }

  private var isCronRunning: Bool? {
    let directory = root.appending("proc")
    guard let listing = try? files.open(directory, .directoryFollowingLinks).listing() else { return nil }
    let processes = (0..<listing.count).map { Array(listing[$0]) }.filter { name in
      name.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
    // With `hidepid` the processes of others are hidden, that of init among them.
    guard processes.contains([UInt8(ascii: "1")]) else { return nil }
    return processes.contains { process in
      let file = directory.appending(process).appending("comm")
      guard let bytes = try? files.open(file, .read).contents(max: Self.nameBytesMax) else { return false }
      return Self.cronNames.contains(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }
  }
}
