//! A test for each fixture.

/// Makes a test of each fixture: `each_fixture!(check);` in a module of its own, where `check` is a
/// `fn(&Fixture) -> Result<(), String>`. A test below fails when a fixture is not in this list.
macro_rules! each_fixture {
    ($check:path) => {
        $crate::support::each::each_fixture! { @each $check }
    };
    (@names) => {
        $crate::support::each::each_fixture! { @list @names }
    };
    (@each $check:path) => {
        $crate::support::each::each_fixture! { @list @tests $check }
    };
    (@tests $check:path; $($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            $crate::support::Fixture::check($name, $check);
        })*
    };
    (@names; $($test:ident: $name:literal,)*) => {
        [$($name),*]
    };
    (@list $($then:tt)*) => {
        $crate::support::each::each_fixture! { $($then)*;
            authors: "authors/repository",
            bookmark_names: "bookmark-names/repository",
            branch_names: "branch-names/repository",
            branch_without_name: "branch-without-name/repository",
            censored: "censored/repository",
            clashes: "clashes/repository",
            committers: "committers/repository",
            contents: "contents/repository",
            damaged_changelog: "damaged-changelog/repository",
            damaged_cut_filelog: "damaged-cut-filelog/repository",
            damaged_filelog: "damaged-filelog/repository",
            damaged_manifest: "damaged-manifest/repository",
            damaged_missing_filelog: "damaged-missing-filelog/repository",
            dates: "dates/repository",
            deep_paths: "deep-paths/repository",
            demo: "demo/repository",
            dotgit: "dotgit/repository",
            empty_formats_default: "empty-formats/default",
            empty_formats_deltainfo: "empty-formats/deltainfo",
            empty_formats_dotencode: "empty-formats/dotencode",
            empty_formats_fileindex: "empty-formats/fileindex",
            empty_formats_fncache: "empty-formats/fncache",
            empty_formats_generaldelta: "empty-formats/generaldelta",
            empty_formats_nodemap: "empty-formats/nodemap",
            empty_formats_nostore: "empty-formats/nostore",
            empty_formats_sparserevlog: "empty-formats/sparserevlog",
            empty_formats_store: "empty-formats/store",
            empty_formats_treemanifest: "empty-formats/treemanifest",
            empty_formats_uncompressed: "empty-formats/uncompressed",
            empty: "empty/repository",
            evil_paths: "evil-paths/repository",
            extras: "extras/repository",
            flips: "flips/repository",
            format_changelog_v2: "format-changelog-v2/repository",
            format_copies_sidedata: "format-copies-sidedata/repository",
            format_lfs: "format-lfs/repository",
            format_narrow: "format-narrow/repository",
            format_plain_encoding: "format-plain-encoding/repository",
            format_revlogv2: "format-revlogv2/repository",
            formats_default: "formats/default",
            formats_deltainfo: "formats/deltainfo",
            formats_dotencode: "formats/dotencode",
            formats_fileindex: "formats/fileindex",
            formats_fncache: "formats/fncache",
            formats_generaldelta: "formats/generaldelta",
            formats_nodemap: "formats/nodemap",
            formats_nostore: "formats/nostore",
            formats_revlogv0: "formats/revlogv0",
            formats_sparserevlog: "formats/sparserevlog",
            formats_store: "formats/store",
            formats_uncompressed: "formats/uncompressed",
            graph: "graph/repository",
            halves_first: "halves-first/repository",
            halves_whole: "halves-whole/repository",
            heads: "heads/repository",
            largefiles_trees: "largefiles-trees/repository",
            largefiles: "largefiles/repository",
            lying_files: "lying-files/repository",
            malformed_copy_metadata: "malformed-copy-metadata/repository",
            malformed_manifest_end: "malformed-manifest-end/repository",
            malformed_manifest_flag: "malformed-manifest-flag/repository",
            malformed_manifest_node: "malformed-manifest-node/repository",
            malformed_manifest_subtree: "malformed-manifest-subtree/repository",
            malformed_manifest_twice: "malformed-manifest-twice/repository",
            malformed_manifest_unsorted: "malformed-manifest-unsorted/repository",
            many_parents: "many-parents/repository",
            messages: "messages/repository",
            missing_file_revision: "missing-file-revision/repository",
            missing_manifest: "missing-manifest/repository",
            null_deltas_generaldelta: "null-deltas/generaldelta",
            null_deltas_previous: "null-deltas/previous",
            null_deltas_revlogv0: "null-deltas/revlogv0",
            obsolete_heads: "obsolete-heads/repository",
            obsolete: "obsolete/repository",
            paths: "paths/repository",
            phases_not_publishing: "phases-not-publishing/repository",
            phases: "phases/repository",
            renames: "renames/repository",
            share_absolute: "share/absolute",
            share_absolute_unsafe: "share/absolute-unsafe",
            share_relative: "share/relative",
            share_relative_unsafe: "share/relative-unsafe",
            special_names: "special-names/repository",
            split: "split/repository",
            subrepos_tracked: "subrepos-tracked/repository",
            subrepos_without_state: "subrepos-without-state/repository",
            subrepos: "subrepos/repository",
            tag_bytes: "tag-bytes/repository",
            tag_names: "tag-names/repository",
            tags: "tags/repository",
            tiny_revisions: "tiny-revisions/repository",
            topics: "topics/repository",
            tree_names: "tree-names/repository",
            treemanifest_evil_names: "treemanifest-evil-names/repository",
            treemanifest_flat_flat: "treemanifest-flat/flat",
            treemanifest_flat_tree: "treemanifest-flat/tree",
            treemanifest_grown: "treemanifest-grown/repository",
            treemanifest_malformed: "treemanifest-malformed/repository",
            treemanifest_missing_directory: "treemanifest-missing-directory/repository",
            treemanifest_default: "treemanifest/default",
            treemanifest_generaldelta: "treemanifest/generaldelta",
            treemanifest_nostore: "treemanifest/nostore",
            treemanifest_store: "treemanifest/store",
            unknown_requirement: "unknown-requirement/repository",
            unknown_store_requirement: "unknown-store-requirement/repository",
            workflows: "workflows/repository",
        }
    };
}
pub(crate) use each_fixture;

#[test]
fn every_fixture_is_listed() {
    let listed: std::collections::BTreeSet<String> =
        each_fixture!(@names).into_iter().map(str::to_owned).collect();
    let there = super::Fixture::all().into_iter().map(|fixture| fixture.name).collect();
    assert_eq!(listed, there);
}
