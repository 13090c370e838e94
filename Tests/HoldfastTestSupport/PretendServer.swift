package import HoldfastModel
import HoldfastSystem

/// A process that looks like a PostgreSQL server: it has its name, and its working directory looks like a data
/// directory.
package final class PretendServer {
  private let programs = TemporaryDirectory()
  private let process: RunningProcess

  package var processID: Int32 { process.processID }

  /// - Parameter directory: gets a `global/pg_control`, and a `postmaster.pid` that names the process.
  package init(on directory: Path) throws {
    let program = programs.appending("postgres")
    let copy = RunningProcess.Start(["cp", "/bin/sleep", program.text])
    _ = RunningProcess(copy).wait()
    TestFiles.makeDirectory(directory.appending("global"))
    TestFiles.write("control", to: directory.appending("global/pg_control"))
    var start = RunningProcess.Start([program.text, "600"])
    start.directory = directory
    process = RunningProcess(start)
    // `env` changes to the directory, and only then becomes the program.
    let name = Path("/proc/\(process.processID)/comm")
    while TestFiles.exists(name), TestFiles.read(name) != Array("postgres\n".utf8) { Pause.briefly() }
    TestFiles.write(
      "\(process.processID)\n\(directory.text)\n1700000000\n5432\n/run\n", to: directory.appending("postmaster.pid"))
  }

  package func stop() {
    process.send(9)
    _ = process.wait()
  }
}
