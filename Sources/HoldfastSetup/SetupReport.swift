internal import HoldfastCodec
internal import HoldfastDrill
internal import HoldfastEngine
package import HoldfastModel
internal import HoldfastReport
internal import HoldfastSystem

/// The result of a setup.
package struct SetupReport: Sendable {
  let source: SourceName
  let contents: SourceContents
  let repository: Identifier
  let location: String
  /// True if the repository is on the file system of the source.
  let isBesideSource: Bool
  /// The digest of the keyring; `nil` if the repository is not sealed.
  let keyring: Digest?
  let protection: SetupRequest.Protection
  /// The files of the configuration.
  let configuration: [Path]
  /// The only file of the configuration, if it was named.
  let named: Path?
  /// The schedule in words; `nil` if there is none.
  let schedule: String?
  let drill: Drill.Report
  let backupStatus: ExitStatus
  let host: String
  let time: Timestamp

  package var exitStatus: ExitStatus { .worst(of: [backupStatus, drill.exitStatus]) }

  /// The sheet to print and keep. No secret is on it.
  package var sheet: String {
    var table = Table()
    table.add(["written", "\(TimeText.local(time)), on \(host)"])
    table.add(["source", "\(source): \(contents.path)"])
    table.add(["repository", "\(repository)"])
    table.add(["", "in \(Path(location))"])
    if isBesideSource { table.add(["", "It is on the file system of the source: a disk that fails takes both."]) }
    if let keyring {
      table.add(["keyring", keyring.description])
      table.add(["", "On another machine, say --expect-keyring with this digest."])
    }
    for (index, line) in key.enumerated() { table.add([index == 0 ? "key" : "", line]) }
    table.add(["configuration", configuration.map(\.description).joined(separator: ", ")])
    table.add(["schedule", schedule ?? "none: nothing takes the next snapshot by itself"])
    table.add(["trial restore", (drill.failure == nil ? "passed: " : "FAILED: ") + drill.verdict])
    table.add(["", "Repeat it now and then: " + command(["drill", source.text, "-r", location] + identity)])
    table.add(["status", command("status", "-r", location)])
    table.add(["snapshots", command("list", "-r", location)])
    table.add(["restore", restore])
    return "THE BACKUP OF \(source): print this, and keep it away from this machine\n\n"
      + table.lines.joined(separator: "\n") + "\n"
  }

  private var key: [String] {
    switch protection {
    case .keyFile(let path):
      [
        "\(path)", "Copy it to two places away from this machine and from the repository, then remove it here:",
        "snapshots are taken without it. Without it nobody can restore anything.",
      ]
    case .passphrase:
      [
        "a passphrase", "Write it down, and keep it away from this machine. Without it nobody can restore anything.",
      ]
    case .unsealed: ["none", "Whoever can read the repository can read the orders in it."]
    }
  }

  private var restore: String {
    command(["restore", "--target", target, "-r", location, "--name", source.text] + identity)
  }

  /// The option that names the key.
  private var identity: [String] {
    guard case .keyFile(let path) = protection else { return [] }
    return ["--identity", String(decoding: path.bytes, as: UTF8.self)]
  }

  /// An empty directory beside the source.
  private var target: String { String(decoding: contents.path.bytes, as: UTF8.self) + "-restored" }

  private func command(_ words: String...) -> String { command(words) }

  private func command(_ words: [String]) -> String {
    let config = named.map { ["--config", String(decoding: $0.bytes, as: UTF8.self)] } ?? []
    return (["holdfast"] + words + config).map(ShellText.word).joined(separator: " ")
  }

  /// Writes the sheet to a file, which appears whole. Its owner alone can read it.
  func write(to path: Path, _ host: Host) throws {
    let file = try AtomicFile(
      path, in: nil, as: .unique(host.random), mode: .exactly(0o600), durability: .contents, files: host.files)
    try file.append(Array(sheet.utf8))
    try file.commit()
  }
}

/// `holdfast setup --json`.
package struct SetupJSON: Encodable {
  private let source: String
  private let sourcePath: String
  private let repository: String
  private let location: String
  private let sealed: Bool
  private let keyringDigest: Known<String>
  /// The key file, if one opens the repository.
  private let keyFile: Known<String>
  private let configurationFiles: [String]
  private let schedule: Known<String>
  private let drill: DrillJSON
  private let sheet: String

  package init(_ report: SetupReport) {
    (source, sourcePath) = (report.source.text, report.contents.path.description)
    (repository, location) = (report.repository.description, report.location)
    sealed = report.keyring != nil
    keyringDigest = Known(report.keyring?.description)
    if case .keyFile(let path) = report.protection { keyFile = Known(path.description) } else { keyFile = Known(nil) }
    configurationFiles = report.configuration.map(\.description)
    schedule = Known(report.schedule)
    drill = DrillJSON(report.drill)
    sheet = report.sheet
  }
}

/// `holdfast setup --dry-run --json`.
package struct SetupIntentionsJSON: Encodable {
  private let dryRun = true
  /// A line for each step.
  private let intentions: [String]

  package init(_ intentions: [String]) { self.intentions = intentions }
}
