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
      table.add(["", "The commands below say it, so that no other repository is taken for this one."])
    }
    for (index, line) in key.enumerated() { table.add([index == 0 ? "key" : "", line]) }
    table.add(["configuration", configuration.map(\.description).joined(separator: ", ")])
    if named != nil { table.add(["", "On another machine, leave --config out of the commands below."]) }
    table.add(["schedule", schedule ?? "none: nothing takes the next snapshot by itself"])
    table.add(["trial restore", (drill.failure == nil ? "passed: " : "FAILED: ") + drill.verdict])
    table.add(["", "Repeat it now and then: " + command(["drill", source.text] + place + identity)])
    table.add(["status", command(["status"] + place)])
    table.add(["snapshots", command(["list"] + place)])
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
        "In the commands below, name the place where you keep it.",
      ]
    case .passphrase:
      [
        "a passphrase", "Write it down, and keep it away from this machine. Without it nobody can restore anything.",
        "Drill and restore ask for it on a terminal. Without one, put HOLDFAST_PASSPHRASE_FILE=FILE before the command.",
      ]
    case .unsealed: ["none", "Whoever can read the repository can read the orders in it."]
    }
  }

  private var restore: String {
    command(["restore", "--target", target] + place + ["--name", source.text] + identity)
  }

  /// The options that name the repository, also on a machine that does not know it.
  private var place: [String] { ["-r", location] + (keyring.map { ["--expect-keyring", $0.description] } ?? []) }

  /// The option that names the key.
  private var identity: [String] {
    guard case .keyFile(let path) = protection else { return [] }
    return ["--identity", String(decoding: path.bytes, as: UTF8.self)]
  }

  /// An empty directory beside the source.
  private var target: String { String(decoding: contents.path.bytes, as: UTF8.self) + "-restored" }

  private func command(_ words: [String]) -> String {
    let config = named.map { ["--config", String(decoding: $0.bytes, as: UTF8.self)] } ?? []
    return (["holdfast"] + words + config).map(ShellText.word).joined(separator: " ")
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
