//! Tags by the specification's names: those of the session and of market data. Any other is a plain `u32`.

/// `BeginSeqNo`.
pub const BEGIN_SEQ_NO: u32 = 7;
/// `BeginString`.
pub const BEGIN_STRING: u32 = 8;
/// `BodyLength`.
pub const BODY_LENGTH: u32 = 9;
/// `CheckSum`.
pub const CHECK_SUM: u32 = 10;
/// `Currency`.
pub const CURRENCY: u32 = 15;
/// `EndSeqNo`.
pub const END_SEQ_NO: u32 = 16;
/// `SecurityIDSource`.
pub const SECURITY_ID_SOURCE: u32 = 22;
/// `NoLinesOfText`.
pub const NO_LINES_OF_TEXT: u32 = 33;
/// `MsgSeqNum`.
pub const MSG_SEQ_NUM: u32 = 34;
/// `MsgType`.
pub const MSG_TYPE: u32 = 35;
/// `NewSeqNo`.
pub const NEW_SEQ_NO: u32 = 36;
/// `OrderID`.
pub const ORDER_ID: u32 = 37;
/// `OrigTime`.
pub const ORIG_TIME: u32 = 42;
/// `PossDupFlag`.
pub const POSS_DUP_FLAG: u32 = 43;
/// `RefSeqNum`.
pub const REF_SEQ_NUM: u32 = 45;
/// `RelatdSym` of FIX 4.2's news, spelt so there.
pub const RELATD_SYM: u32 = 46;
/// `SecurityID`.
pub const SECURITY_ID: u32 = 48;
/// `SenderCompID`.
pub const SENDER_COMP_ID: u32 = 49;
/// `SenderSubID`.
pub const SENDER_SUB_ID: u32 = 50;
/// `SendingTime`.
pub const SENDING_TIME: u32 = 52;
/// `Side`.
pub const SIDE: u32 = 54;
/// `Symbol`.
pub const SYMBOL: u32 = 55;
/// `TargetCompID`.
pub const TARGET_COMP_ID: u32 = 56;
/// `TargetSubID`.
pub const TARGET_SUB_ID: u32 = 57;
/// `Text`.
pub const TEXT: u32 = 58;
/// `TransactTime`.
pub const TRANSACT_TIME: u32 = 60;
/// `Urgency`.
pub const URGENCY: u32 = 61;
/// `SettlDate`.
pub const SETTL_DATE: u32 = 64;
/// `RptSeq`.
pub const RPT_SEQ: u32 = 83;
/// `RawDataLength`.
pub const RAW_DATA_LENGTH: u32 = 95;
/// `RawData`.
pub const RAW_DATA: u32 = 96;
/// `PossResend`.
pub const POSS_RESEND: u32 = 97;
/// `EncryptMethod`.
pub const ENCRYPT_METHOD: u32 = 98;
/// `HeartBtInt`.
pub const HEART_BT_INT: u32 = 108;
/// `TestReqID`.
pub const TEST_REQ_ID: u32 = 112;
/// `OnBehalfOfCompID`.
pub const ON_BEHALF_OF_COMP_ID: u32 = 115;
/// `OrigSendingTime`.
pub const ORIG_SENDING_TIME: u32 = 122;
/// `GapFillFlag`.
pub const GAP_FILL_FLAG: u32 = 123;
/// `DeliverToCompID`.
pub const DELIVER_TO_COMP_ID: u32 = 128;
/// `ResetSeqNumFlag`.
pub const RESET_SEQ_NUM_FLAG: u32 = 141;
/// `NoRelatedSym`.
pub const NO_RELATED_SYM: u32 = 146;
/// `Headline`.
pub const HEADLINE: u32 = 148;
/// `URLLink`.
pub const URL_LINK: u32 = 149;
/// `SecurityExchange`.
pub const SECURITY_EXCHANGE: u32 = 207;
/// `MDReqID`.
pub const MD_REQ_ID: u32 = 262;
/// `SubscriptionRequestType`.
pub const SUBSCRIPTION_REQUEST_TYPE: u32 = 263;
/// `MarketDepth`.
pub const MARKET_DEPTH: u32 = 264;
/// `MDUpdateType`.
pub const MD_UPDATE_TYPE: u32 = 265;
/// `AggregatedBook`.
pub const AGGREGATED_BOOK: u32 = 266;
/// `NoMDEntryTypes`.
pub const NO_MD_ENTRY_TYPES: u32 = 267;
/// `NoMDEntries`.
pub const NO_MD_ENTRIES: u32 = 268;
/// `MDEntryType`.
pub const MD_ENTRY_TYPE: u32 = 269;
/// `MDEntryPx`.
pub const MD_ENTRY_PX: u32 = 270;
/// `MDEntrySize`.
pub const MD_ENTRY_SIZE: u32 = 271;
/// `MDEntryDate`.
pub const MD_ENTRY_DATE: u32 = 272;
/// `MDEntryTime`.
pub const MD_ENTRY_TIME: u32 = 273;
/// `TickDirection`.
pub const TICK_DIRECTION: u32 = 274;
/// `QuoteCondition`.
pub const QUOTE_CONDITION: u32 = 276;
/// `TradeCondition`.
pub const TRADE_CONDITION: u32 = 277;
/// `MDEntryID`.
pub const MD_ENTRY_ID: u32 = 278;
/// `MDUpdateAction`.
pub const MD_UPDATE_ACTION: u32 = 279;
/// `MDEntryRefID`.
pub const MD_ENTRY_REF_ID: u32 = 280;
/// `MDReqRejReason`.
pub const MD_REQ_REJ_REASON: u32 = 281;
/// `OpenCloseSettlFlag`.
pub const OPEN_CLOSE_SETTL_FLAG: u32 = 286;
/// `MDEntryBuyer`.
pub const MD_ENTRY_BUYER: u32 = 288;
/// `MDEntryPositionNo`.
pub const MD_ENTRY_POSITION_NO: u32 = 290;
/// `SecurityReqID`.
pub const SECURITY_REQ_ID: u32 = 320;
/// `SecurityRequestType`.
pub const SECURITY_REQUEST_TYPE: u32 = 321;
/// `SecurityResponseID`.
pub const SECURITY_RESPONSE_ID: u32 = 322;
/// `SecurityResponseType`.
pub const SECURITY_RESPONSE_TYPE: u32 = 323;
/// `SecurityTradingStatus`.
pub const SECURITY_TRADING_STATUS: u32 = 326;
/// `TradingSessionID`.
pub const TRADING_SESSION_ID: u32 = 336;
/// `TradSesStatus`.
pub const TRAD_SES_STATUS: u32 = 340;
/// `NumberOfOrders`.
pub const NUMBER_OF_ORDERS: u32 = 346;
/// `EncodedTextLen`.
pub const ENCODED_TEXT_LEN: u32 = 354;
/// `EncodedText`.
pub const ENCODED_TEXT: u32 = 355;
/// `LastMsgSeqNumProcessed`.
pub const LAST_MSG_SEQ_NUM_PROCESSED: u32 = 369;
/// `RefTagID`.
pub const REF_TAG_ID: u32 = 371;
/// `RefMsgType`.
pub const REF_MSG_TYPE: u32 = 372;
/// `SessionRejectReason`.
pub const SESSION_REJECT_REASON: u32 = 373;
/// `BusinessRejectRefID`.
pub const BUSINESS_REJECT_REF_ID: u32 = 379;
/// `BusinessRejectReason`.
pub const BUSINESS_REJECT_REASON: u32 = 380;
/// `MaxMessageSize`.
pub const MAX_MESSAGE_SIZE: u32 = 383;
/// `TotNoRelatedSym`.
pub const TOT_NO_RELATED_SYM: u32 = 393;
/// `PriceType`.
pub const PRICE_TYPE: u32 = 423;
/// `TestMessageIndicator`.
pub const TEST_MESSAGE_INDICATOR: u32 = 464;
/// `Username`.
pub const USERNAME: u32 = 553;
/// `Password`.
pub const PASSWORD: u32 = 554;
/// `SecurityListRequestType`.
pub const SECURITY_LIST_REQUEST_TYPE: u32 = 559;
/// `SecurityRequestResult`.
pub const SECURITY_REQUEST_RESULT: u32 = 560;
/// `LastUpdateTime`.
pub const LAST_UPDATE_TIME: u32 = 779;
/// `NextExpectedMsgSeqNum`.
pub const NEXT_EXPECTED_MSG_SEQ_NUM: u32 = 789;
/// `TrdMatchID`.
pub const TRD_MATCH_ID: u32 = 880;
/// `LastFragment`.
pub const LAST_FRAGMENT: u32 = 893;
/// `NewPassword`.
pub const NEW_PASSWORD: u32 = 925;
/// `MDBookType`.
pub const MD_BOOK_TYPE: u32 = 1021;
/// `MDFeedType`.
pub const MD_FEED_TYPE: u32 = 1022;
/// `MDPriceLevel`.
pub const MD_PRICE_LEVEL: u32 = 1023;
/// `ApplVerID`.
pub const APPL_VER_ID: u32 = 1128;
/// `CstmApplVerID`.
pub const CSTM_APPL_VER_ID: u32 = 1129;
/// `RefApplVerID`.
pub const REF_APPL_VER_ID: u32 = 1130;
/// `DefaultApplVerID`.
pub const DEFAULT_APPL_VER_ID: u32 = 1137;
/// `SessionStatus`.
pub const SESSION_STATUS: u32 = 1409;
/// `AggressorSide`.
pub const AGGRESSOR_SIDE: u32 = 2446;
