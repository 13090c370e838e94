import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Where openat2 is refused a path is opened name by name: what opens and what does not is the same.
@Suite struct OpenBeneathTests {
  private let directory = TemporaryDirectory()

  /// inside/file, inside/deep/file, outside/file, and links in all places.
  private func makeTree() throws -> OpenFile {
    for name in ["inside", "inside/deep", "outside"] { TestFiles.makeDirectory(directory.appending(name)) }
    for name in ["inside/file", "inside/deep/file", "outside/file"] {
      TestFiles.write("x", to: directory.appending(name))
    }
    for (target, name) in [
      ("deep", "link"), ("../outside", "out"), ("file", "end"), ("/", "top"), ("missing", "dangling"), ("self", "self"),
    ] {
      TestFiles.symbolicLink(target, at: directory.appending("inside/" + name))
    }
    TestFiles.makeFifo(directory.appending("inside/fifo"))
    return try FileSystem().open(directory.appending("inside"), .directory)
  }

  private static let paths = [
    "file", "deep", "deep/file", "./deep/./file", "deep//file", ".", "./", "deep/", "file/", "file/below", "missing",
    "missing/file",
    "deep/missing", "link", "link/", "link/file", "out/file", "end", "end/", "top/tmp", "dangling", "dangling/x",
    "self",
    "self/x", "fifo", "fifo/x", "../outside/file", "..", "deep/../../outside/file", "/", "/etc/passwd", "",
    String(repeating: "n", count: 300), "deep/" + String(repeating: "n", count: 300),
    String(repeating: "n", count: 5000), "/proc/self/root",
  ]
  private static let flags = [
    O_RDONLY | O_NOFOLLOW | O_NONBLOCK, O_RDWR | O_NOFOLLOW | O_NONBLOCK, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
    O_RDONLY | O_DIRECTORY, O_RDONLY | O_NONBLOCK,
  ]

  @Test(arguments: paths) func bothWaysOpenTheSameAndRefuseTheSame(path: String) throws {
    let root = try makeTree()
    let before = OpenBeneath.openDescriptors
    for flags in Self.flags {
      let (atOnce, bySteps) = (
        OpenBeneath.atOnce.open(path, in: root.descriptor, flags: flags),
        OpenBeneath.bySteps.open(path, in: root.descriptor, flags: flags)
      )
      #expect(atOnce == bySteps, "\(path), flags \(flags)")
    }
    if before > 0 { #expect(OpenBeneath.openDescriptors <= before + 32, "descriptors are left open") }
  }

  @Test(arguments: ["file", "deep/new", "link/new", "out/new", "dangling", "../new", "/tmp/holdfast-must-not-be"])
  func bothWaysCreateOnlyBelow(path: String) throws {
    var outcomes: [String] = []
    for way in OpenBeneath.allCases {
      TestFiles.removeTree(directory.appending("inside"))
      TestFiles.removeTree(directory.appending("outside"))
      let root = try makeTree()
      let outcome = way.open(path, in: root.descriptor, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
      let made = TreeDescription(of: directory.path).nodes.keys.sorted()
      outcomes.append(
        {
          guard case .refused(let code) = outcome else { return "made \(made)" }
          return "\(code) \(made)"
        }())
      #expect(!TestFiles.exists(directory.appending("outside/new")) && !TestFiles.exists(directory.appending("new")))
      #expect(!TestFiles.exists(Path("/tmp/holdfast-must-not-be")))
    }
    #expect(outcomes[0] == outcomes[1], "\(path)")
  }

  /// What openat2 would still allow, and no path of an entry has.
  @Test func aStepUpIsRefusedAlsoWhereItStaysInside() throws {
    let root = try makeTree()
    #expect(
      OpenBeneath.bySteps.open("deep/../file", in: root.descriptor, flags: O_RDONLY | O_NOFOLLOW) == .refused(EXDEV))
  }
}
