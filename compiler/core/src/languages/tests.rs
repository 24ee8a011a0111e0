//! The registry is whole, its codes are unique and well-formed, and it knows all of FLORES-200.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// The codes of the FLORES-200 benchmark.
const FLORES: &str = "
    ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn als_Latn amh_Ethi
    apc_Arab arb_Arab arb_Latn ars_Arab ary_Arab arz_Arab asm_Beng ast_Latn awa_Deva ayr_Latn
    azb_Arab azj_Latn bak_Cyrl bam_Latn ban_Latn bel_Cyrl bem_Latn ben_Beng bho_Deva bjn_Arab
    bjn_Latn bod_Tibt bos_Latn bug_Latn bul_Cyrl cat_Latn ceb_Latn ces_Latn cjk_Latn ckb_Arab
    crh_Latn cym_Latn dan_Latn deu_Latn dik_Latn dyu_Latn dzo_Tibt ell_Grek eng_Latn epo_Latn
    est_Latn eus_Latn ewe_Latn fao_Latn fij_Latn fin_Latn fon_Latn fra_Latn fur_Latn fuv_Latn
    gaz_Latn gla_Latn gle_Latn glg_Latn grn_Latn guj_Gujr hat_Latn hau_Latn heb_Hebr hin_Deva
    hne_Deva hrv_Latn hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn
    jpn_Jpan kab_Latn kac_Latn kam_Latn kan_Knda kas_Arab kas_Deva kat_Geor kaz_Cyrl kbp_Latn
    kea_Latn khk_Cyrl khm_Khmr kik_Latn kin_Latn kir_Cyrl kmb_Latn kmr_Latn knc_Arab knc_Latn
    kon_Latn kor_Hang lao_Laoo lij_Latn lim_Latn lin_Latn lit_Latn lmo_Latn ltg_Latn ltz_Latn
    lua_Latn lug_Latn luo_Latn lus_Latn lvs_Latn mag_Deva mai_Deva mal_Mlym mar_Deva min_Arab
    min_Latn mkd_Cyrl mlt_Latn mni_Beng mos_Latn mri_Latn mya_Mymr nld_Latn nno_Latn nob_Latn
    npi_Deva nso_Latn nus_Latn nya_Latn oci_Latn ory_Orya pag_Latn pan_Guru pap_Latn pbt_Arab
    pes_Arab plt_Latn pol_Latn por_Latn prs_Arab quy_Latn ron_Latn run_Latn rus_Cyrl sag_Latn
    san_Deva sat_Olck scn_Latn shn_Mymr sin_Sinh slk_Latn slv_Latn smo_Latn sna_Latn snd_Arab
    som_Latn sot_Latn spa_Latn srd_Latn srp_Cyrl ssw_Latn sun_Latn swe_Latn swh_Latn szl_Latn
    tam_Taml taq_Latn taq_Tfng tat_Cyrl tel_Telu tgk_Cyrl tgl_Latn tha_Thai tir_Ethi tpi_Latn
    tsn_Latn tso_Latn tuk_Latn tum_Latn tur_Latn twi_Latn tzm_Tfng uig_Arab ukr_Cyrl umb_Latn
    urd_Arab uzn_Latn vec_Latn vie_Latn war_Latn wol_Latn xho_Latn ydd_Hebr yor_Latn yue_Hant
    zho_Hans zho_Hant zsm_Latn zul_Latn
";

#[test]
fn every_line_is_a_row() {
    let lines = |table: &str| table.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(rows().len(), lines(LANGUAGES));
    assert!(rows().len() >= 600, "{}", rows().len());
    assert_eq!(macro_languages().len(), lines(MACRO_LANGUAGES));
    assert_eq!(scripts().count(), lines(SCRIPTS));
}

#[test]
fn tables_are_in_order() {
    assert!(rows().is_sorted_by_key(|row| (row.family, row.iso3)));
    assert!(macro_languages().is_sorted_by_key(|row| row.code));
    assert!(scripts().is_sorted());
}

#[test]
fn codes_are_well_formed_and_unique() {
    let letters = |code: &str, many: usize| {
        code.len() == many && code.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    let mut seen = BTreeSet::new();
    for row in rows() {
        assert!(row.iso1.is_none_or(|code| letters(code, 2)), "{row:?}");
        assert!(letters(row.iso3, 3), "{row:?}");
        assert!(row.iso1.is_none_or(|code| seen.insert(code)), "{row:?}");
        assert!(seen.insert(row.iso3), "{row:?}");
        for code in &row.flores {
            assert!(seen.insert(code), "{row:?}");
        }
        assert!(row.opus == row.iso3 || Some(row.opus) == row.iso1, "{row:?}");
    }
    for (old, today) in RETIRED {
        assert!(!seen.contains(old), "{old}");
        assert!(seen.contains(today) || macro_languages().iter().any(|row| row.code == *today));
    }
    let names: BTreeSet<&str> = rows().iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows().len(), "names are unique");
}

#[test]
fn scripts_are_known_and_those_of_flores_are_the_rows() {
    for row in rows() {
        assert!(!row.scripts.is_empty(), "{row:?}");
        assert!(row.scripts.iter().all(|code| script(code).is_some()), "{row:?}");
        let written: Vec<&str> = row.scripts.clone();
        let of_flores = row.flores.iter().map(|code| code.split_once('_').unwrap().1);
        let places: Vec<_> =
            of_flores.map(|code| written.iter().position(|known| *known == code)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{row:?}");
    }
    for row in scripts() {
        assert!(row.len() == 4 && row.starts_with(|first: char| first.is_ascii_uppercase()));
    }
}

#[test]
fn every_family_hangs_in_one_place() {
    let mut parents: BTreeMap<&str, &str> = BTreeMap::new();
    for row in rows() {
        let mut above = "";
        for name in families(row.family) {
            let word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(name.bytes().all(word), "{row:?}");
            assert_eq!(*parents.entry(name).or_insert(above), above, "{name} of {row:?}");
            assert_eq!(meaning(name), None, "{name} is a code too");
            above = name;
        }
        assert!(!above.is_empty(), "{row:?}");
    }
}

#[test]
fn macro_languages_have_members_and_mean_one_of_them() {
    for row in macro_languages() {
        let members: Vec<&str> = rows()
            .iter()
            .filter(|member| member.macro_language == Some(row.code))
            .map(|member| member.iso3)
            .collect();
        assert!(!members.is_empty(), "{row:?}");
        assert!(row.means.is_none_or(|means| members.contains(&means)), "{row:?}");
        assert!(rows().iter().all(|other| other.iso3 != row.code), "{row:?}");
    }
    for row in rows() {
        if let Some(code) = row.macro_language.filter(|_| !row.is_macro()) {
            let named = macro_languages().iter().any(|known| known.code == code);
            assert!(named || rows().iter().any(|known| known.iso3 == code && known.is_macro()));
        }
    }
}

#[test]
fn flores_is_covered() {
    let codes: Vec<&str> = FLORES.split_whitespace().collect();
    assert_eq!(codes.len(), 204);
    let known: BTreeSet<&str> = rows().iter().flat_map(|row| row.flores.clone()).collect();
    assert_eq!(known, codes.iter().copied().collect());
    let arabic = meaning("arb_Latn").unwrap();
    assert_eq!((arabic.row.iso1, arabic.script), (Some("ar"), Some("Latn")));
    let chinese = meaning("zho_Hant").unwrap();
    assert_eq!((chinese.row.iso3, chinese.script), ("cmn", Some("Hant")));
}

#[test]
fn codes_mean_what_people_mean() {
    let of = |code: &str| meaning(code).map(|meaning| meaning.row.iso3);
    assert_eq!(of("de"), Some("deu"));
    assert_eq!(of("pt_BR"), Some("por"));
    assert_eq!(of("zh-Hans"), Some("cmn"));
    assert_eq!(of("sr-Latn"), Some("srp"));
    assert_eq!(of("ara"), Some("arb"));
    assert_eq!(of("iw"), Some("heb"));
    assert_eq!(of("xx"), None);
    assert_eq!(of("-"), None);
    assert_eq!(of("de_x"), None, "neither script nor region");
    assert_eq!(of("sh"), None, "several languages, none of which is meant");
    assert_eq!(today("sh"), Some("hbs"));
    assert_eq!(meaning("no").unwrap().macro_code, Some("nor"));
    assert_eq!(meaning("nb").unwrap().macro_code, None);
    assert_eq!(meaning("sr-Latn").unwrap().script, Some("Latn"));
    assert_eq!(meaning("zh-TW").unwrap().script, None);
}

#[test]
fn families_are_nested_and_apart() {
    assert_eq!(family("slavic"), Some("indo_european/balto_slavic/slavic"));
    let distance = |a: &str, b: &str| {
        family_distance(meaning(a).unwrap().row.family, meaning(b).unwrap().row.family)
    };
    assert!(distance("cs", "pl") < 1e-9);
    assert!(distance("cs", "ru") < distance("cs", "lt"));
    assert!(distance("cs", "lt") < distance("cs", "de"));
    assert!((distance("cs", "fi") - 1.0).abs() < 1e-9);
}
