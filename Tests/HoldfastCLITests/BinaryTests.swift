import HoldfastModel
import HoldfastTestSupport
import Testing

/// The release is one file that runs where no Swift is.
@Suite struct BinaryTests {
  @Test(.requires(.releaseBinary)) func theReleaseNeedsOnlyLibrariesOfTheSystem() {
    let result = Tool().other("ldd", Tool.binary.text)
    #expect(result.exitStatus == 0)
    let allowed: Set = [
      "linux-vdso.so.1", "libzstd.so.1", "libisal.so.2", "libz.so.1", "libm.so.6", "libc.so.6", "libstdc++.so.6",
      "libgcc_s.so.1", "libyaml-0.so.2",
    ]
    for line in result.output.split(separator: "\n") {
      let library = line.drop { $0 == "\t" || $0 == " " }.prefix { $0 != " " }
      #expect(allowed.contains(String(library)) || library.contains("/ld-linux"), "\(line)")
      #expect(!line.contains("not found"), "\(line)")
    }
  }
}
