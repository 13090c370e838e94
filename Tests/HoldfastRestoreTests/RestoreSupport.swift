import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport

/// Restores over one target, the directory `target` beside the source.
extension TestShop {
  var target: Path { directory.appending("target") }

  /// Writes a file of the source, or of another directory.
  func write(_ text: String, _ name: String, in root: Path? = nil) {
    TestFiles.write(text, to: (root ?? source).appending(name))
  }

  /// What a file of the target says; `nil` where there is none.
  func targetText(_ name: String) -> String? {
    TestFiles.read(target.appending(name)).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Restores the newest snapshot over the target. What becomes of what is there is confirmed.
  @discardableResult
  func restoreOver(
    _ paths: [String] = [], in repository: Repository? = nil,
    configure: (inout Restore.Options) -> Void = { _ in }
  ) throws -> Restore.Report {
    try restore(to: "target", in: repository) {
      $0.isDelta = true
      $0.paths = paths.map { Path($0) }
      configure(&$0)
    }
  }
}

/// A process that has a file open for writing, until it is stopped.
final class FileUser {
  private let tool = Tool()
  private let process: RunningProcess

  var processID: Int32 { process.processID }

  init(of file: Path) {
    let said = tool.directory.appending("said")
    var start = RunningProcess.Start([
      "/usr/bin/python3", "-c",
      "import sys, time; f = open(sys.argv[1], 'r+b'); open(sys.argv[2], 'w').write('open'); time.sleep(600)",
      file.text, said.text,
    ])
    start.environment = tool.environment
    process = RunningProcess(start)
    while TestFiles.read(said) != Array("open".utf8) { Pause.briefly() }
  }

  func stop() {
    process.send(9)
    _ = process.wait()
  }
}
